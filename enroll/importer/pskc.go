package importer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"twokey/factor"
)

const (
	pskcSpace  = "urn:ietf:params:xml:ns:keyprov:pskc"
	pskcHOTP   = pskcSpace + ":hotp"
	pskcTOTP   = pskcSpace + ":totp"
	pskcDigits = "DECIMAL"
)

// token is one key package on its way.
type token struct {
	pkg, key *node
	keys     *keys
	f        found
}

func readPSKC(c *collector, r io.Reader) error {
	content, err := io.ReadAll(io.LimitReader(r, maxXML+1))
	if err == nil && len(content) > maxXML {
		err = tooLarge(maxXML)
	}
	if err != nil {
		return c.whole(err)
	}
	top, err := parseXML(bytes.NewReader(content))
	if err != nil {
		return c.whole(err)
	}
	if top.name != "KeyContainer" || top.space != pskcSpace || top.attrs["Version"] != "1.0" {
		return c.whole(&atLine{top.line, errors.New("not a key container of RFC 6030, version 1.0")})
	}
	keys, err := newKeys(top, c.options.Unlock)
	if err != nil {
		return c.whole(err)
	}
	packages := top.all("KeyPackage")
	if len(packages) == 0 {
		return c.whole(errors.New("there is no key in it"))
	}
	if keys.encrypted {
		if err := keys.fit(packages); err != nil {
			return c.whole(err)
		}
	}
	seen := map[string]bool{} // serial numbers
	for _, p := range packages {
		c.addPackage(p, keys, seen)
	}
	if c.options.Owners != nil {
		c.file.Wrong = append(c.file.Wrong, c.options.Owners.wrong(seen, c.file.Name)...)
	}
	return nil
}

func (c *collector) addPackage(pkg *node, keys *keys, seen map[string]bool) {
	serial, err := pkg.textOf("DeviceInfo", "SerialNo")
	t := &token{pkg: pkg, keys: keys, f: found{line: pkg.line}}
	if err == nil {
		t.key, err = pkg.one("Key")
	}
	if err == nil && c.options.Owners != nil {
		seen[serial] = true
		owner := c.options.Owners.bySerial[serial]
		switch {
		case owner == nil:
			c.file.Unassigned++
			return
		case owner.twice:
			return
		}
		t.f.user, t.f.at = owner.user, place{c.options.Owners.name, owner.line}
	} else if err == nil {
		t.f.user, err = t.owner(c.options.User)
	}
	if err == nil {
		err = t.read(serial)
	}
	if err == nil {
		err = c.check(&t.f)
	}
	if err != nil {
		if serial != "" {
			err = fmt.Errorf("token %.40q: %w", serial, err)
		}
		c.wrong(pkg.line, printableOrNothing(t.f.user), err)
		return
	}
	c.add(t.f)
}

// owner is whose the token is: the key's user, else the device's, of a distinguished name the UID.
func (t *token) owner(given string) (string, error) {
	if given != "" {
		return given, nil
	}
	name, err := t.key.textOf("UserId")
	if name == "" && err == nil {
		name, err = t.pkg.textOf("DeviceInfo", "UserId")
	}
	if err != nil || !strings.Contains(name, "=") {
		return name, err
	}
	for part := range strings.SplitSeq(name, ",") {
		if field, value, _ := strings.Cut(part, "="); strings.EqualFold(strings.TrimSpace(field), "uid") {
			return strings.TrimSpace(value), nil
		}
	}
	return "", nil
}

func (t *token) read(serial string) error {
	if t.key == nil {
		return errors.New("there is no key in it")
	}
	algorithm := t.key.attrs["Algorithm"]
	if algorithm != pskcHOTP && algorithm != pskcTOTP {
		return fmt.Errorf("its algorithm is %.80q, neither hotp nor totp", algorithm)
	}
	secret, err := t.secret()
	if err != nil {
		return err
	}
	t.f.device = usual(secret)
	t.f.device.Name = serial
	if err := t.format(); err != nil {
		return err
	}
	if err := t.policy(); err != nil {
		return err
	}
	t.namesLeft()
	if algorithm == pskcHOTP {
		next, err := t.number("Counter", 0)
		t.f.device = byCounter(t.f.device, next)
		return err
	}
	return t.time()
}

// namesLeft says what the file tells about the token that nothing here can keep.
func (t *token) namesLeft() {
	info, err := t.pkg.one("DeviceInfo")
	if err != nil {
		return // textOf has refused the token already
	}
	var left []string
	for _, told := range []struct {
		in    *node
		names []string
	}{{info, []string{"Manufacturer", "Model", "IssueNo", "StartDate", "ExpiryDate"}}, {t.key, []string{"Issuer", "FriendlyName"}}} {
		for _, name := range told.names {
			for _, n := range told.in.all(name) { // in several languages
				if text := strings.TrimSpace(n.text); text != "" {
					left = append(left, fmt.Sprintf("%s %.40q", name, text))
				}
			}
		}
	}
	if len(left) > 0 {
		t.f.left = append(t.f.left, "not kept: "+strings.Join(left, ", "))
	}
}

func (t *token) secret() ([]byte, error) {
	secret, err := t.key.one("Data", "Secret")
	if err != nil {
		return nil, err
	}
	plain, sealed := len(secret.all("PlainValue")), len(secret.all("EncryptedValue"))
	switch {
	case plain+sealed != 1:
		return nil, errors.New("it has no secret, or two")
	case sealed == 1:
		return t.keys.open(secret)
	}
	return secret.bytesOf("PlainValue")
}

// format reads how many digits a code has, and the hash.
func (t *token) format() error {
	response, err := t.key.one("AlgorithmParameters", "ResponseFormat")
	if err != nil {
		return err
	}
	if response == nil {
		t.f.left = append(t.f.left, fmt.Sprintf("the file does not say how many digits a code has: %d are taken", factor.DefaultDigits))
	} else {
		if encoding := response.attrs["Encoding"]; encoding != pskcDigits {
			return fmt.Errorf("its codes are %.20q, not digits", encoding)
		}
		if check := response.attrs["CheckDigits"]; check != "" && check != "false" && check != "0" {
			return errors.New("its codes have a check digit, which is not known here")
		}
		n, err := plainNumber(response.attrs["Length"])
		if err != nil || n > factor.MaxDigits {
			return fmt.Errorf("want codes of %d to %d digits", factor.MinDigits, factor.MaxDigits)
		}
		t.f.device.Digits = int(n)
	}
	suite, err := t.key.textOf("AlgorithmParameters", "Suite")
	if err != nil || suite == "" {
		return err
	}
	t.f.device.Algorithm, err = factor.ParseAlgorithm(strings.TrimPrefix(strings.ToUpper(suite), "HMAC-"))
	return err
}

// policy reads how the key may be used. What is not understood in it forbids the use: RFC 6030 section 5.
func (t *token) policy() error {
	policy, err := t.key.one("Policy")
	if err != nil || policy == nil {
		return err
	}
	usages, forOTP := policy.all("KeyUsage"), false
	for _, child := range policy.children {
		text := strings.TrimSpace(child.text)
		switch child.name {
		case "KeyUsage":
			forOTP = forOTP || text == "OTP"
		case "StartDate":
			t.f.left = append(t.f.left, fmt.Sprintf("it was to be good from %.40q on: it is good at once", text))
		case "ExpiryDate":
			end, err := time.Parse(time.RFC3339, text)
			if err != nil {
				return errors.New("<ExpiryDate>: want a moment such as 2027-06-30T12:00:00Z")
			}
			end = end.Truncate(time.Second)
			t.f.device.Until = &end
		case "PINPolicy":
			t.f.left = append(t.f.left, "a PIN belongs to the token: nothing asks for it here")
		case "NumberOfTransactions":
			t.f.left = append(t.f.left, "how often it may be used is not limited here")
		default:
			return fmt.Errorf("<%.40s> in its policy is not known", child.name)
		}
	}
	if len(usages) > 0 && !forOTP {
		return errors.New("its policy does not let it be used for codes")
	}
	return nil
}

func (t *token) time() error {
	period, err := t.number("TimeInterval", factor.DefaultPeriod)
	if err != nil || period < factor.MinPeriod || period > factor.MaxPeriod {
		return fmt.Errorf("its time interval: want %d to %d seconds", factor.MinPeriod, factor.MaxPeriod)
	}
	t.f.device.Period = int(period)
	start, err := t.number("Time", 0)
	if err != nil || start != 0 {
		return errors.New("it does not count from 1970 on")
	}
	drift, err := t.key.textOf("Data", "TimeDrift", "PlainValue")
	if drift != "" && drift != "0" {
		t.f.left = append(t.f.left, fmt.Sprintf("its clock was off by %.20q steps; if its codes are not taken, it is off by too much", drift))
	}
	return err
}

// number is a number among its data, or otherwise.
func (t *token) number(name string, otherwise uint64) (uint64, error) {
	at, err := t.key.one("Data", name)
	if err != nil || at == nil {
		return otherwise, err
	}
	text, err := at.textOf("PlainValue")
	if err != nil {
		return 0, err
	}
	n, err := plainNumber(text)
	if err != nil {
		return 0, fmt.Errorf("<%s>: %w", name, err)
	}
	return n, nil
}
