package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	lowerLetters = "abcdefghijklmnopqrstuvwxyz"
	decimals     = "0123456789"
	alphanumeric = lowerLetters + "ABCDEFGHIJKLMNOPQRSTUVWXYZ" + decimals
)

// only reports whether a text has none but these characters.
func only(s, characters string) bool { return strings.Trim(s, characters) == "" }

// IsE164 reports whether a text is shaped like a telephone number of ITU-T E.164 as the providers take it: a plus, a digit that is not
// zero, and 6 to 14 more, without blanks. Whether a country has such a number is another question.
func IsE164(s string) bool {
	number, plus := strings.CutPrefix(s, "+")
	return plus && len(number) >= 7 && len(number) <= 15 && number[0] != '0' && only(number, decimals)
}

// maxSMS is the size cap of the message, in characters: three SMS in Latin letters, five in others (3GPP TS 23.040, section 9.2.3.24).
const maxSMS = 320

// smsPlaceholders are what the message may have between percent signs.
var smsPlaceholders = []string{"CODE", "ISSUER", "HOST", "MINUTES"}

// checkSMSText demands a text that brings the code. One without it would be paid for and help nobody.
func checkSMSText(s string) string {
	if n := utf8.RuneCountInString(s); n > maxSMS {
		return fmt.Sprintf("this message has %d characters, the limit is %d", n, maxSMS)
	}
	if wrong := checkLine(s, maxSMS*utf8.UTFMax); wrong != "" {
		return wrong
	}
	for _, found := range placeholder().FindAllString(s, -1) {
		if name := strings.Trim(found, "%"); !slices.Contains(smsPlaceholders, name) {
			return fmt.Sprintf("unknown %s%s: the message knows %%%s%%", found, suggestWord(strings.ToUpper(name), smsPlaceholders),
				strings.Join(smsPlaceholders, "%, %"))
		}
	}
	if !strings.Contains(s, "%CODE%") {
		return "the message has no %CODE% in it: nobody would get a code"
	}
	return ""
}

// checkSID demands an identifier of Twilio's. What is none is not shown: somebody may have put a token here.
func checkSID(prefix string) func(string) string {
	return func(s string) string {
		rest, ours := strings.CutPrefix(s, prefix)
		if !ours || len(rest) != 32 || !only(rest, decimals+"abcdefABCDEF") {
			return fmt.Sprintf("want %s and 32 hexadecimal digits as Twilio's console shows them, found %d characters", prefix, len(s))
		}
		return ""
	}
}

// maxSender is the size cap of an alphanumeric sender, in characters.
const maxSender = 11

// checkSender demands a number, or a name of which telephone networks show as much as this.
func checkSender(s string) string {
	switch {
	case IsE164(s):
		return ""
	case s != "" && only(s, decimals+"+ ()-./"):
		return fmt.Sprintf("want a number with a plus and its country, such as +15005550006, found %.80q; a short code is sent from by messaging_service_sid", s)
	case len(s) > maxSender || strings.TrimSpace(s) != s || !only(s, alphanumeric+" -_&") || only(s, decimals+" -_&"):
		return fmt.Sprintf("want a number such as +15005550006, or a name of 1 to %d letters, digits and blanks with a letter among them, found %.80q", maxSender, s)
	}
	return ""
}

// checkURL demands an address at which nobody listens in: a token and what users are asked go there.
func checkURL(s string) string {
	rest, secure := strings.CutPrefix(s, "https://")
	plain := false
	if !secure {
		rest, plain = strings.CutPrefix(s, "http://")
	}
	host, ok := hostOf(rest)
	switch {
	case strings.Contains(s, "@"): // not shown: there is a password before it
		return "want an address without a user and a password in it: these stand in files of paths.credentials"
	case !secure && !plain:
		return fmt.Sprintf("want an address that begins with https://, found %.80q", s)
	case ok && plain && !loopback(host):
		return fmt.Sprintf("%.80q: http:// only to this host itself (127.0.0.1, [::1], localhost): others would read it on its way; write https://", s)
	case !ok && strings.ContainsAny(rest, "/?#"):
		return fmt.Sprintf("%.80q: leave away what stands behind the host and its port", s)
	case !ok:
		return fmt.Sprintf("want a host and perhaps a port behind the slashes, such as https://ntfy.example.org or https://192.0.2.7:8443, found %.80q", s)
	}
	return ""
}

// hostOf takes the port off a host: a name, an IPv4 address, or an IPv6 address in brackets.
func hostOf(s string) (host string, ok bool) {
	if checkServer(s) == "" {
		s = s[:strings.LastIndexByte(s, ':')]
	}
	if inner, bracket := strings.CutPrefix(s, "["); bracket {
		inner, closed := strings.CutSuffix(inner, "]")
		a, err := netip.ParseAddr(inner)
		return inner, closed && err == nil && a.Is6() && a.Zone() == ""
	}
	a, err := netip.ParseAddr(s)
	return s, err == nil && a.Is4() || hostName(s)
}

// loopback reports whether a host is this one whatever the network says. The name localhost is (RFC 6761, section 6.3).
func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback() || strings.EqualFold(host, "localhost")
}

// secretLength is from how many letters and digits without any other sign on a text is taken for a secret: Twilio's tokens have 32,
// Duo's keys 40.
const secretLength = 32

// checkSecretFile is checkCredential for a file that there has to be. It refuses what looks like the secret itself, without showing it:
// everybody can read the configuration.
func checkSecretFile(s string) string {
	switch {
	case s == "":
		return "want the name of a file in paths.credentials, found an empty text"
	case len(s) >= secretLength && only(s, alphanumeric), strings.HasPrefix(s, "tk_") && len(s) >= secretLength:
		return "this looks like the secret itself, which everybody can read here: put it into a file of paths.credentials, with mode 0600, and write the file's name"
	}
	return checkCredential(s)
}

// checkGateway demands what tells one user from another: else every code would go to one mailbox.
func checkGateway(s string) string {
	rest, named := s, 0
	for _, name := range []string{"%NUMBER%", "%USER%"} {
		if before, after, found := strings.Cut(rest, name); found {
			rest, named = before+after, named+1
		}
	}
	if named == 0 || strings.Contains(rest, "%") {
		return fmt.Sprintf("want an address with %%NUMBER%% or %%USER%% in it once, such as %%NUMBER%%@sms.example.org, found %.80q", s)
	}
	return checkMailbox(s)
}

// checkAPIHost demands one of Duo's hosts: to another one the answers could be anybody's.
func checkAPIHost(s string) string {
	name, ours := strings.CutSuffix(s, ".duosecurity.com")
	if !ours {
		name, ours = strings.CutSuffix(s, ".duofederal.com")
	}
	id, api := strings.CutPrefix(name, "api-")
	if !ours || !api || id == "" || len(id) > 32 || !only(id, lowerLetters+decimals) {
		return fmt.Sprintf("want a name such as api-1a2b3c4d.duosecurity.com, in small letters and without https://, found %.80q", s)
	}
	return ""
}

// checkIntegrationKey demands a key of Duo's. What is none is not shown: somebody may have put the secret key here.
func checkIntegrationKey(s string) string {
	rest, ours := strings.CutPrefix(s, "DI")
	if !ours || len(rest) != 18 || strings.ToUpper(rest) != rest || !only(rest, alphanumeric) {
		return fmt.Sprintf("want DI and 18 capital letters and digits as Duo's admin panel shows them, found %d characters", len(s))
	}
	return ""
}
