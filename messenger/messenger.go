// Package messenger turns what the policy says of SMS and push, and the credential files that it names, into requests for twokey-notify
// (package deliver). The login and the command line send by it, so that what is tested by "sms test" is what a login does. It sends nothing
// itself.
//
// What it must and must not do, each with a test:
//
//   - A credential MUST come from a file of Paths.Credentials that belongs to root and that nobody else may read, one line long. An error
//     names the file, and MUST NOT repeat anything of what is in it.
//   - What a phone shows MUST be lines of printable characters, whatever a client says that it is called.
//   - An answer MUST be good for one question and one choice: each question has a key of its own, which is kept nowhere.
package messenger

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"twokey/deliver"
	"twokey/factor"
	"twokey/internal/safefile"
	"twokey/policy"
)

var (
	// ErrNone is returned where the policy has no provider.
	ErrNone = errors.New("no provider is configured")
	// ErrCredential is for a credential file that is not one line.
	ErrCredential = errors.New("not one line with a credential")
)

// Settings are what requests are made of.
type Settings struct {
	Policy      *policy.Config
	Credentials string // the folder: Paths.Credentials, below --root where there is one
	Host        string // this host's name, for people
}

// Text is a code for somebody's telephone.
type Text struct {
	User   string
	Number string // E.164
	Code   string
}

// Question is what a phone is asked.
type Question struct {
	ID     [8]byte // of this question alone
	Secret []byte  // of the user's device
	User   string  // with duo, the name there
	// Factor is "push", with duo also "phone" or "passcode".
	Factor string
	// Right stands on the screen, and Wrong beside it on the phone, 10 to 99; both 0: the phone shows Allow and Deny.
	Right, Wrong int
	Passcode     string // for the factor passcode
	Title        string
	Facts        []deliver.Fact
	Allow, Deny  string // the labels of these buttons
	From         string // address of the client; "": not known
	Wait         time.Duration
}

// Text is the request for a text message with a code. The error is ErrNone, ErrCredential, or one of reading a file.
func (s Settings) Text(t Text) (*deliver.Request, error) {
	req, err := s.SMS(deliver.KindText)
	if err != nil {
		return nil, err
	}
	issuer := s.Policy.Issuer
	if issuer == "" {
		issuer = s.Host
	}
	req.Text = &deliver.Text{Number: t.Number, User: t.User, Message: s.Policy.SMS.Text(t.Code, line(issuer), line(s.Host))}
	return req, nil
}

// SMS is a request of a kind to the provider of SMS, without what belongs to the kind.
func (s Settings) SMS(kind deliver.Kind) (*deliver.Request, error) {
	sms := s.Policy.SMS
	if sms == nil {
		return nil, ErrNone
	}
	req := &deliver.Request{Kind: kind, Connect: sms.Connect, Timeout: sms.Timeout}
	var err error
	switch sms.Provider {
	case policy.ProviderTwilio:
		req.Twilio = &deliver.Twilio{AccountSID: sms.AccountSID, APIKeySID: sms.APIKeySID, Service: sms.MessagingServiceSID, From: sms.Sender, URL: sms.URL}
		err = errors.Join(s.credential(sms.AuthTokenFile, &req.Twilio.AuthToken), s.credential(sms.APIKeySecretFile, &req.Twilio.APIKeySecret))
	case policy.ProviderCommand:
		req.Command = &deliver.Command{Argv: sms.Command}
	case policy.ProviderSMTP:
		req.SMTP = &deliver.SMTP{Server: sms.Server, From: sms.From, To: sms.To, User: sms.User}
		err = s.credential(sms.PasswordFile, &req.SMTP.Password)
	default:
		err = ErrNone
	}
	if err != nil {
		return nil, err
	}
	return req, nil
}

// Push is the request for a question. Errors are those of Text.
func (s Settings) Push(q Question) (*deliver.Request, error) {
	req, err := s.PushService(deliver.KindPush)
	if err != nil {
		return nil, err
	}
	req.Wait = q.Wait
	req.Push = &deliver.Push{Title: line(q.Title)}
	for _, f := range q.Facts {
		req.Push.Facts = append(req.Push.Facts, deliver.Fact{Name: line(f.Name), Value: line(f.Value)})
	}
	if req.Duo != nil {
		req.Push.User, req.Push.Factor, req.Push.Passcode, req.Push.From = q.User, q.Factor, q.Passcode, q.From
		return req, nil
	}
	req.Push.Topic = factor.NtfyTopic(q.Secret)
	req.Push.Buttons = q.buttons()
	return req, nil
}

// PushService is a request of a kind to the provider of push, without what belongs to the kind.
func (s Settings) PushService(kind deliver.Kind) (*deliver.Request, error) {
	push := s.Policy.Push
	if push == nil {
		return nil, ErrNone
	}
	req := &deliver.Request{Kind: kind, Connect: push.Connect, Timeout: push.Timeout}
	var err error
	switch push.Provider {
	case policy.ProviderNtfy:
		req.Ntfy = &deliver.Ntfy{URL: push.URL}
		err = errors.Join(s.credential(push.TokenFile, &req.Ntfy.Token), s.credential(push.AnswerTokenFile, &req.Ntfy.AnswerToken))
	case policy.ProviderDuo:
		req.Duo = &deliver.Duo{Host: push.APIHost, IntegrationKey: push.IntegrationKey, URL: push.Address()}
		err = s.credential(push.SecretKeyFile, &req.Duo.SecretKey)
	default:
		err = ErrNone
	}
	if err != nil {
		return nil, err
	}
	return req, nil
}

// buttons are what can be pressed, each with a text that nobody else can make. The key is forgotten: twokey-notify compares the texts.
func (q Question) buttons() []deliver.Button {
	var key [32]byte
	rand.Read(key[:]) // never fails: it would end the program
	button := func(label, choice string, means deliver.State) deliver.Button {
		return deliver.Button{Label: label, Body: choice + " " + factor.PushMAC(key[:], q.ID, choice), Means: means}
	}
	deny := button(label(q.Deny), "deny", deliver.StateDeny)
	if q.Right == 0 {
		return []deliver.Button{button(label(q.Allow), "allow", deliver.StateAllow), deny}
	}
	right, wrong := strconv.Itoa(q.Right), strconv.Itoa(q.Wrong)
	return []deliver.Button{button(right, right, deliver.StateAllow), button(wrong, wrong, deliver.StateWrong), deny}
}

// credential reads a credential file into value; without a name there is none.
func (s Settings) credential(name string, value *string) error {
	if name == "" {
		return nil
	}
	dir, err := safefile.OpenDir(s.Credentials)
	if err != nil {
		return err
	}
	content, err := dir.Read(name, safefile.Secret)
	if err = errors.Join(err, dir.Close()); err != nil {
		return err
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r")
	if text == "" || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
		return fmt.Errorf("%s/%s: %w", s.Credentials, name, ErrCredential)
	}
	*value = text
	return nil
}

// The longest lines that a phone is sent, in characters: those of package deliver.
const (
	maxLine  = 256
	maxLabel = 40
)

// line is a text on one line, with a question mark for each character that cannot be seen.
//
// Attack: log in from a host whose name turns the direction of writing, so that the phone shows another one.
func line(text string) string { return cut(text, maxLine) }

func label(text string) string { return cut(text, maxLabel) }

func cut(text string, longest int) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) && r != unicode.ReplacementChar {
			return r
		}
		return '?'
	}, strings.ToValidUTF8(text, "?"))
	if runes := []rune(text); len(runes) > longest {
		return string(runes[:longest])
	}
	return text
}
