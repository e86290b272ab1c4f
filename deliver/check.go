package deliver

import (
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	maxWait   = 5 * time.Minute
	maxTime   = time.Minute // for each step of a request
	maxFacts  = 16
	maxField  = 512  // bytes of a credential, address or name
	maxText   = 1600 // characters of a message; Twilio takes no more
	maxFact   = 256  // characters
	maxDetail = 200  // characters of a text in an answer
	maxArgv   = 64
)

var factors = []string{"push", "phone", "passcode"}

// carries says which provider is for what.
var carries = map[Kind][]string{
	KindText:     {"twilio", "command", "smtp"},
	KindPush:     {"ntfy", "duo"},
	KindAccount:  {"twilio", "command", "smtp", "ntfy", "duo"},
	KindCheck:    {"twilio", "command", "smtp", "ntfy", "duo"},
	KindDescribe: {""},
}

// check finds what is wrong with a request, without repeating any value.
func (r *Request) check() error {
	var wrong string
	switch {
	case carries[r.Kind] == nil:
		wrong = "kind"
	case r.providers() > 1 || !slices.Contains(carries[r.Kind], r.Provider()):
		wrong = "provider"
	case r.Connect <= 0 || r.Connect > maxTime || r.Timeout <= 0 || r.Timeout > maxTime:
		wrong = "connect and timeout: over 0, at most a minute"
	case (r.Wait > 0) != (r.Kind == KindPush) || r.Wait < 0 || r.Wait > maxWait:
		wrong = "wait: of a push, at most five minutes"
	case (r.Text != nil) != (r.Kind == KindText) || (r.Push != nil) != (r.Kind == KindPush) || (r.Number != "") != (r.Kind == KindDescribe):
		wrong = "text, push and number: the one of its kind"
	case !printable(r.Number, 64):
		wrong = "number"
	case r.Text != nil:
		wrong = r.Text.wrong()
	case r.Push != nil:
		wrong = r.Push.wrong(r.Provider())
	}
	if wrong == "" {
		wrong = r.wrongProvider()
	}
	if wrong != "" {
		return fmt.Errorf("%w: %s", ErrRequest, wrong)
	}
	return nil
}

func (r *Request) providers() int {
	n := 0
	for _, there := range []bool{r.Twilio != nil, r.Command != nil, r.SMTP != nil, r.Ntfy != nil, r.Duo != nil} {
		if there {
			n++
		}
	}
	return n
}

func (t *Text) wrong() string {
	lines := strings.ReplaceAll(t.Message, "\n", "")
	switch {
	case !isE164(t.Number):
		return "text.number"
	case t.Message == "" || !printable(lines, 4*maxText) || utf8.RuneCountInString(t.Message) > maxText:
		return "text.message"
	case !printable(t.User, maxField):
		return "text.user"
	}
	return ""
}

func (p *Push) wrong(provider string) string {
	if p.Title == "" || !line(p.Title, maxFact) {
		return "push.title"
	}
	if len(p.Facts) > maxFacts {
		return "push.facts"
	}
	for _, f := range p.Facts {
		if f.Name == "" || !line(f.Name, maxFact) || !line(f.Value, maxFact) {
			return "push.facts"
		}
	}
	if provider == "ntfy" {
		return p.wrongNtfy()
	}
	return p.wrongDuo()
}

func (p *Push) wrongNtfy() string {
	if p.User != "" || p.Factor != "" || p.Passcode != "" || p.From != "" {
		return "push: what belongs to duo"
	}
	if !isTopic(p.Topic) {
		return "push.topic"
	}
	if len(p.Buttons) < 1 || len(p.Buttons) > 3 {
		return "push.buttons: 1 to 3"
	}
	for i, b := range p.Buttons {
		again := slices.ContainsFunc(p.Buttons[:i], func(other Button) bool { return other.Body == b.Body })
		switch {
		case b.Label == "" || !line(b.Label, 40):
			return "push.buttons: label"
		case b.Body == "" || !ascii(b.Body, 128) || strings.TrimSpace(b.Body) != b.Body || again:
			return "push.buttons: body"
		case b.Means != StateAllow && b.Means != StateDeny && b.Means != StateWrong:
			return "push.buttons: means"
		}
	}
	return ""
}

func (p *Push) wrongDuo() string {
	switch {
	case p.Topic != "" || len(p.Buttons) != 0:
		return "push: what belongs to ntfy"
	case p.User == "" || !printable(p.User, maxField):
		return "push.user"
	case !slices.Contains(factors, p.Factor):
		return "push.factor"
	case (p.Passcode != "") != (p.Factor == "passcode") || !ascii(p.Passcode, 64):
		return "push.passcode"
	case p.From != "":
		if _, err := netip.ParseAddr(p.From); err != nil {
			return "push.from"
		}
	}
	return ""
}

// wrongProvider looks at what would change the shape of what is sent; what the provider makes of it, it says itself.
func (r *Request) wrongProvider() string {
	var fields []string
	switch {
	case r.Twilio != nil:
		t := r.Twilio
		fields = []string{t.AccountSID, t.AuthToken, t.APIKeySID, t.APIKeySecret, t.From, t.Service, t.URL}
		if (t.AuthToken == "") == (t.APIKeySID == "") || (t.APIKeySID == "") != (t.APIKeySecret == "") {
			return "twilio: either a token or a key with its secret"
		}
	case r.Command != nil:
		return r.Command.wrong()
	case r.SMTP != nil:
		s := r.SMTP
		fields = []string{s.Server, s.From, s.To, s.User, s.Password}
	case r.Ntfy != nil:
		fields = []string{r.Ntfy.URL, r.Ntfy.Token, r.Ntfy.AnswerToken}
	case r.Duo != nil:
		fields = []string{r.Duo.Host, r.Duo.IntegrationKey, r.Duo.SecretKey, r.Duo.URL}
	}
	for _, f := range fields {
		if !printable(f, maxField) {
			return r.Provider()
		}
	}
	return ""
}

func (c *Command) wrong() string {
	if len(c.Argv) < 1 || len(c.Argv) > maxArgv || !path.IsAbs(c.Argv[0]) {
		return "command.argv: the absolute path of a program, and at most 63 arguments"
	}
	for _, arg := range c.Argv {
		if !printable(arg, 4096) {
			return "command.argv"
		}
	}
	return ""
}

// check finds what is wrong with an answer. Whoever reads it is root and shows it to people: twokey-notify has talked to strangers.
func (a Answer) check() error {
	var wrong string
	switch {
	case !slices.Contains([]State{StateSent, StateForged, StateAllow, StateDeny, StateWrong, StateTimeout, StateFailed, StateOK}, a.State):
		wrong = "state"
	case (a.Problem != "") != (a.State == StateFailed):
		wrong = "problem: of a failure"
	case !slices.Contains(problems, a.Problem) && a.Problem != "":
		wrong = "problem"
	case a.EnrollURL != "" && (!strings.HasPrefix(a.EnrollURL, "https://") || !ascii(a.EnrollURL, maxDetail) || strings.Contains(a.EnrollURL, " ")):
		wrong = "enroll_url"
	case a.Retry < 0:
		wrong = "retry"
	}
	texts := []string{a.Detail, a.Advice, a.ID, a.Status}
	if a.Account != nil {
		texts = append(texts, a.Account.Name, a.Account.State, a.Account.Balance)
	}
	if a.Number != nil {
		texts = append(texts, a.Number.Region, a.Number.Country)
	}
	for _, text := range texts {
		if !line(text, maxDetail) {
			wrong = "a text that is no line of at most 200 characters"
		}
	}
	if wrong != "" {
		return fmt.Errorf("%w: %s", ErrAnswer, wrong)
	}
	return nil
}

// printable: UTF-8, at most so many bytes, all of them of characters that are seen.
func printable(s string, bytes int) bool {
	if len(s) > bytes || !utf8.ValidString(s) {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError })
}

// line: printable, at most so many characters.
func line(s string, characters int) bool {
	return printable(s, 4*characters) && utf8.RuneCountInString(s) <= characters
}

func ascii(s string, bytes int) bool {
	return printable(s, bytes) && !strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII })
}

// isE164: a plus sign and 7 to 15 digits, the first not 0. To compile a regular expression at the start would cost every login more than any other
// package does.
func isE164(s string) bool {
	digits, plus := strings.CutPrefix(s, "+")
	return plus && len(digits) >= 7 && len(digits) <= 15 && digits[0] != '0' && strings.Trim(digits, "0123456789") == ""
}

// isTopic: 1 to 64 letters, digits, hyphens and underscores, as ntfy has them in a path.
func isTopic(s string) bool {
	other := func(r rune) bool {
		return !(r == '-' || r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9')
	}
	return s != "" && len(s) <= 64 && !strings.ContainsFunc(s, other)
}
