package provider

import (
	"encoding/base64"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"twokey/deliver"
)

// maxText is the longest text of an answer, in characters.
const maxText = 200

var (
	codes   = regexp.MustCompile(`[0-9]{4,}`)
	numbers = regexp.MustCompile(`\+[0-9][0-9 ().-]{4,}[0-9]|[0-9](?:[-.]?[0-9]){6,}`)
	keys    = regexp.MustCompile(`[A-Za-z0-9+=_-]{24,}`)
)

// clean makes every text of an answer a line that may stand in a log and on a terminal. It is the one way out of this package.
func (j *job) clean(a deliver.Answer) deliver.Answer {
	hidden := secrets(j.req)
	tidy := func(text *string) { *text = cut(hide(j.hideOwnNumber(oneLine(*text)), hidden)) }
	tidy(&a.Detail)
	tidy(&a.Advice)
	tidy(&a.Status)
	a.ID = cut(oneLine(a.ID)) // looks like a key, and is the name that the provider's console knows the message by
	for _, secret := range hidden {
		if strings.Contains(a.ID, secret) {
			a.ID = ""
		}
	}
	if a.Account != nil {
		account := *a.Account
		tidy(&account.Name)
		tidy(&account.State)
		tidy(&account.Balance)
		a.Account = &account
	}
	return a
}

// secrets are what a request holds that nobody but the service may see, as it is and as it travels.
func secrets(req *deliver.Request) []string {
	var plain []string
	add := func(s ...string) { plain = append(plain, s...) }
	if t := req.Twilio; t != nil {
		add(t.AuthToken, t.APIKeySecret)
	}
	if s := req.SMTP; s != nil {
		add(s.Password, "\x00"+s.User+"\x00"+s.Password) // the second as AUTH PLAIN sends it (RFC 4616)
	}
	if n := req.Ntfy; n != nil {
		add(n.Token, n.AnswerToken)
	}
	if d := req.Duo; d != nil {
		add(d.SecretKey)
	}
	if t := req.Text; t != nil {
		add(codes.FindAllString(t.Message, -1)...)
	}
	if p := req.Push; p != nil {
		add(p.Passcode, p.Topic)
		for _, b := range p.Buttons {
			add(strings.Fields(b.Body)...)
		}
	}
	var all []string
	for _, s := range plain {
		if len(s) >= 4 { // a number to match is none, and two letters are in every word
			bytes := []byte(s)
			all = append(all, s, url.QueryEscape(s), url.PathEscape(s), base64.StdEncoding.EncodeToString(bytes), base64.RawURLEncoding.EncodeToString(bytes))
		}
	}
	return all
}

// hideOwnNumber leaves the last three digits of the number that a text goes to, in whatever way it is written: its last seven digits tell it.
func (j *job) hideOwnNumber(line string) string {
	if j.req.Text == nil || len(j.req.Text.Number) < 8 {
		return line
	}
	number := j.req.Text.Number
	last := strings.Split(number[len(number)-7:], "")
	written := regexp.MustCompile(`[+0-9 ().-]*` + strings.Join(last, `[ ().-]*`))
	return written.ReplaceAllString(line, " …"+number[len(number)-3:])
}

// hide takes secrets out of a line, all that looks like a key, and of what looks like a telephone number all but the last three digits.
func hide(line string, secrets []string) string {
	for _, secret := range secrets {
		line = strings.ReplaceAll(line, secret, "…")
	}
	line = keys.ReplaceAllStringFunc(line, func(key string) string {
		if strings.ContainsAny(key, "0123456789") {
			return "…"
		}
		return key // a long word, or a name with dashes
	})
	return numbers.ReplaceAllStringFunc(line, func(number string) string {
		digits := strings.Map(func(r rune) rune {
			if r < '0' || r > '9' {
				return -1
			}
			return r
		}, number)
		if _, err := netip.ParseAddr(number); err == nil || len(digits) < 7 {
			return number
		}
		return "…" + digits[len(digits)-3:]
	})
}

// oneLine leaves what can be seen, with single blanks.
func oneLine(text string) string {
	seen := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r) || r == utf8.RuneError:
			return -1
		}
		return r
	}, text)
	return strings.Join(strings.Fields(seen), " ")
}

func cut(line string) string {
	if runes := []rune(line); len(runes) > maxText {
		return string(runes[:maxText-1]) + "…"
	}
	return line
}
