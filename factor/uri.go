package factor

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxURI is the length in bytes up to which an address is looked at. The longest that URI writes is shorter.
const maxURI = 2048

// The lengths of names in bytes, before they are percent-encoded.
const (
	maxIssuer  = 128
	maxAccount = 256
)

// uriParameters are the parameters an address may have. Those that are false are decoration of other programs and have no
// effect. Any other is refused: it could be one that changes the code, as encoder=steam does.
var uriParameters = map[string]bool{
	"secret": true, "issuer": true, "algorithm": true, "digits": true, "period": true, "counter": true,
	"image": false, "icon": false, "color": false, "lock": false,
}

// URI returns the canonical otpauth address (see the package comment) of a device: for account, such as alice@host, at
// issuer, which may be empty. The counter is the next one, for HOTP; TOTP has none. It takes secrets of 10 bytes and more
// and fails for parameters or names out of their ranges.
func URI(account, issuer string, p Params, counter uint64) (string, error) {
	if err := p.usable(); err != nil {
		return "", err
	}
	if err := checkNames(account, issuer); err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("otpauth://" + string(p.Method) + "/")
	if issuer != "" {
		b.WriteString(percentEncode(issuer) + ":")
	}
	b.WriteString(percentEncode(account) + "?secret=" + EncodeSecret(p.Secret))
	if issuer != "" {
		b.WriteString("&issuer=" + percentEncode(issuer))
	}
	if p.Algorithm != SHA1 {
		b.WriteString("&algorithm=" + string(p.Algorithm))
	}
	if p.Digits != DefaultDigits {
		b.WriteString("&digits=" + strconv.Itoa(p.Digits))
	}
	if p.Method == TOTP && p.Period != DefaultPeriod {
		b.WriteString("&period=" + strconv.Itoa(p.Period))
	}
	if p.Method == HOTP {
		b.WriteString("&counter=" + strconv.FormatUint(counter, 10))
	}
	return b.String(), nil
}

// ParseURI reads an otpauth address. Names may be encoded in any way, parameters may come in any order, the issuer may
// stand in the label or in its parameter (which wins), and a hotp address may have a period, which has no effect. It fails
// for another scheme or method, an unknown or repeated parameter, a number that is not written plainly or out of range, a
// hotp address without a counter, control characters in a name, and more than 2048 bytes. No error repeats the value of the secret.
//
// A secret of 10 to 15 bytes passes here: whoever takes an address in must call Params.Check and decide.
func ParseURI(s string) (account, issuer string, p Params, counter uint64, err error) {
	account, issuer, p, counter, err = parseURI(s)
	if err != nil {
		return "", "", Params{}, 0, fmt.Errorf("otpauth address: %w", err)
	}
	return account, issuer, p, counter, nil
}

func parseURI(s string) (account, issuer string, p Params, counter uint64, err error) {
	method, label, query, err := splitURI(s)
	if err != nil {
		return "", "", Params{}, 0, err
	}
	values, err := parseQuery(query)
	if err != nil {
		return "", "", Params{}, 0, err
	}
	if p, counter, err = parseParams(method, values); err != nil {
		return "", "", Params{}, 0, err
	}
	if account, issuer, err = parseNames(label, values["issuer"]); err != nil {
		return "", "", Params{}, 0, err
	}
	return account, issuer, p, counter, nil
}

// AccountOf returns the account of an address that ParseURI may refuse, for messages about it; "" where there is none that can be
// shown. It never returns a secret that stands in the place of the account, or runs into it because a question mark is missing.
func AccountOf(s string) string {
	rest, ok := strings.CutPrefix(s, "otpauth://")
	_, rest, slash := strings.Cut(rest, "/")
	label, _, question := strings.Cut(rest, "?")
	if !ok || !slash || !question || len(s) > maxURI {
		return ""
	}
	account, _, err := parseNames(label, "")
	if err != nil || strings.ContainsAny(account, "=&?") {
		return ""
	}
	if secret, err := DecodeSecret(account); err == nil && len(secret) >= FloorOfSecret {
		return ""
	}
	return account
}

// splitURI takes an address apart without decoding anything.
func splitURI(s string) (method Method, label, query string, err error) {
	if len(s) > maxURI {
		return "", "", "", fmt.Errorf("%d bytes, want at most %d", len(s), maxURI)
	}
	if !isASCII(s) || strings.ContainsAny(s, " #") {
		return "", "", "", errors.New("a character that must be percent-encoded")
	}
	rest, ok := strings.CutPrefix(s, "otpauth://")
	if !ok {
		return "", "", "", errors.New("does not begin with otpauth://")
	}
	kind, rest, _ := strings.Cut(rest, "/")
	method = Method(kind)
	if method != TOTP && method != HOTP {
		return "", "", "", fmt.Errorf("method is not %s or %s", TOTP, HOTP)
	}
	label, query, ok = strings.Cut(rest, "?")
	if !ok {
		return "", "", "", errors.New("no parameters")
	}
	return method, label, query, nil
}

// parseQuery reads the parameters. url.ParseQuery would let a name stand twice, where one program reads the first and
// another the last.
func parseQuery(query string) (map[string]string, error) {
	values := map[string]string{}
	for pair := range strings.SplitSeq(query, "&") {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, errors.New("a parameter without a value")
		}
		if _, known := uriParameters[name]; !known {
			return nil, fmt.Errorf("unknown parameter %.20q", name)
		}
		if _, twice := values[name]; twice {
			return nil, fmt.Errorf("parameter %s is there twice", name)
		}
		decoded, err := url.QueryUnescape(value)
		if err != nil {
			return nil, fmt.Errorf("parameter %s is not percent-encoded rightly", name)
		}
		values[name] = decoded
	}
	return values, nil
}

// parseParams makes the parameters of the device out of those of the address.
func parseParams(method Method, values map[string]string) (Params, uint64, error) {
	p := Params{Method: method, Digits: DefaultDigits, Period: DefaultPeriod, Algorithm: SHA1}
	var err error
	if p.Secret, err = decodeBase32(strings.TrimRight(values["secret"], "=")); err != nil {
		return Params{}, 0, err
	}
	if name, given := values["algorithm"]; given {
		if p.Algorithm, err = ParseAlgorithm(name); err != nil {
			return Params{}, 0, err
		}
	}
	if err = plainNumber(values, "digits", &p.Digits); err != nil {
		return Params{}, 0, err
	}
	if err = plainNumber(values, "period", &p.Period); err != nil {
		return Params{}, 0, err
	}
	counter, err := parseCounter(method, values)
	if err != nil {
		return Params{}, 0, err
	}
	if method == HOTP {
		p.Period = 0
	}
	if err = p.usable(); err != nil {
		return Params{}, 0, err
	}
	return p, counter, nil
}

// parseCounter returns the counter, which hotp must have and totp must not.
func parseCounter(method Method, values map[string]string) (uint64, error) {
	text, given := values["counter"]
	if given != (method == HOTP) {
		return 0, fmt.Errorf("a counter belongs to %s, and to it alone", HOTP)
	}
	if !given {
		return 0, nil
	}
	counter, err := strconv.ParseUint(text, 10, 64)
	if err != nil || strconv.FormatUint(counter, 10) != text {
		return 0, fmt.Errorf("counter %.20q is not a plain number", text)
	}
	return counter, nil
}

// plainNumber replaces *n by the named value if it is given. Only the plain spelling counts: one program's 08 is eight and
// another's is an error.
func plainNumber(values map[string]string, name string, n *int) error {
	text, given := values[name]
	if !given {
		return nil
	}
	number, err := strconv.Atoi(text)
	if err != nil || strconv.Itoa(number) != text {
		return fmt.Errorf("%s %.20q is not a plain number", name, text)
	}
	*n = number
	return nil
}

// parseNames finds account and issuer in the label and the issuer's parameter.
func parseNames(label, parameter string) (account, issuer string, err error) {
	decoded, err := url.PathUnescape(label)
	if err != nil {
		return "", "", errors.New("label is not percent-encoded rightly")
	}
	if colon := strings.LastIndexByte(decoded, ':'); colon >= 0 {
		issuer, decoded = decoded[:colon], decoded[colon+1:]
	}
	if parameter != "" {
		issuer = parameter
	}
	account = strings.TrimLeft(decoded, " ") // the format allows spaces behind the colon
	if err := checkNames(account, issuer); err != nil {
		return "", "", err
	}
	return account, issuer, nil
}

// checkNames refuses what an address cannot carry and what a terminal or a log must not print: names come from files that
// others wrote, and escape sequences or direction marks in them would be shown to an administrator.
func checkNames(account, issuer string) error {
	if account == "" || strings.HasPrefix(account, " ") || strings.Contains(account, ":") {
		return errors.New("account name is empty, begins with a space or has a colon")
	}
	if len(account) > maxAccount || len(issuer) > maxIssuer {
		return fmt.Errorf("account name or issuer too long, want at most %d and %d bytes", maxAccount, maxIssuer)
	}
	for _, name := range []string{account, issuer} {
		if !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsGraphic(r) }) {
			return errors.New("account name or issuer has a character that cannot be shown")
		}
	}
	return nil
}

// queryToPercent turns what url.QueryEscape gives into what percentEncode does.
var queryToPercent = strings.NewReplacer("+", "%20", "%40", "@")

// percentEncode encodes every byte outside A-Z a-z 0-9 - . _ ~ @. A space is %20: several apps show a + as it is.
func percentEncode(s string) string {
	return queryToPercent.Replace(url.QueryEscape(s))
}
