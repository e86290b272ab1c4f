package deliver

import (
	"errors"
	"time"
)

// MaxLine is the longest request or answer in bytes, with its line feed.
const MaxLine = 64 << 10

// ErrRequest is returned for a request that is not as this package says.
var ErrRequest = errors.New("not a request for twokey-notify")

// Kind is what is wanted.
type Kind string

const (
	KindText     Kind = "text"     // one text message to a telephone: twilio, command, smtp
	KindPush     Kind = "push"     // a question that a phone answers: ntfy, duo
	KindAccount  Kind = "account"  // what the provider says of the account with it
	KindCheck    Kind = "check"    // whether all would work, as far as can be found without a person: nobody gets a message
	KindDescribe Kind = "describe" // which country a telephone number belongs to; no network
)

// Request is one order for twokey-notify. Text belongs to KindText, Push and Wait to KindPush, Number to KindDescribe.
type Request struct {
	Kind    Kind          `json:"kind"`
	Connect time.Duration `json:"connect"`        // to be connected with the provider; over 0, at most a minute
	Timeout time.Duration `json:"timeout"`        // until the provider has taken the request, connecting included; over 0, at most a minute
	Wait    time.Duration `json:"wait,omitempty"` // push: then until the person has answered; over 0, at most five minutes
	Text    *Text         `json:"text,omitempty"`
	Push    *Push         `json:"push,omitempty"`
	Number  string        `json:"number,omitempty"` // describe: as typed, at most 64 bytes

	Twilio  *Twilio  `json:"twilio,omitempty"`
	Command *Command `json:"command,omitempty"`
	SMTP    *SMTP    `json:"smtp,omitempty"`
	Ntfy    *Ntfy    `json:"ntfy,omitempty"`
	Duo     *Duo     `json:"duo,omitempty"`
}

// Text is a text message.
type Text struct {
	Number  string `json:"number"`         // E.164 (ITU-T, section 6): +442079460958
	Message string `json:"message"`        // 1 to 1600 characters; of control characters line feeds only
	User    string `json:"user,omitempty"` // whose number it is, for smtp's %USER%
}

// Push is a question for a phone.
type Push struct {
	Title string `json:"title"`           // one line
	Facts []Fact `json:"facts,omitempty"` // who, from where, to which host and service, when: what the person is shown; at most 16

	Topic   string   `json:"topic,omitempty"`   // ntfy: where the phone listens
	Buttons []Button `json:"buttons,omitempty"` // ntfy: 1 to 3; they are shown in random order

	User     string `json:"user,omitempty"`     // duo: the user's name there
	Factor   string `json:"factor,omitempty"`   // duo: push, phone or passcode
	Passcode string `json:"passcode,omitempty"` // duo: for the factor passcode
	From     string `json:"from,omitempty"`     // duo: address of the client, "" when there is none
}

// Fact is one thing that the person is told: "From", "198.51.100.7". Each is one line of at most 256 characters.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Button is what can be pressed. Pressing it sends Body, which the caller has made so that nobody else can (a choice and its MAC, see
// factor.PushMAC), to a topic of this challenge alone; a body that is none of the buttons' is reported as forged.
type Button struct {
	Label string `json:"label"` // what stands on it: 1 to 40 characters
	Body  string `json:"body"`  // 1 to 128 printable ASCII characters; of each button another
	Means State  `json:"means"` // what pressing it means: StateAllow, StateDeny or StateWrong
}

// Twilio is an account with Twilio. Either AuthToken or both of the API key's fields; either From or Service.
type Twilio struct {
	AccountSID   string `json:"account_sid"` // AC and 32 hexadecimal digits
	AuthToken    string `json:"auth_token,omitempty"`
	APIKeySID    string `json:"api_key_sid,omitempty"` // SK and 32 hexadecimal digits
	APIKeySecret string `json:"api_key_secret,omitempty"`
	From         string `json:"from,omitempty"`    // E.164, or up to 11 letters, digits and blanks
	Service      string `json:"service,omitempty"` // MG and 32 hexadecimal digits
	URL          string `json:"url"`               // https://api.twilio.com
}

// Command is a program that sends text messages: it gets number, line feed, message on its standard input.
type Command struct {
	Argv []string `json:"argv"` // absolute path of the program, and its arguments
}

// SMTP is a mail server that sends text messages.
type SMTP struct {
	Server   string `json:"server"` // host:port
	From     string `json:"from"`
	To       string `json:"to"` // with %NUMBER% (its digits) or %USER%
	User     string `json:"user,omitempty"`
	Password string `json:"password,omitempty"`
}

// Ntfy is an ntfy server.
type Ntfy struct {
	URL         string `json:"url"`
	Token       string `json:"token,omitempty"`        // publishes challenges, reads answers
	AnswerToken string `json:"answer_token,omitempty"` // travels in the message, for the phone's answer; "": everyone may write answers
}

// Duo is an application of Duo's Auth API.
type Duo struct {
	Host           string `json:"host"` // api-XXXXXXXX.duosecurity.com, which is signed
	IntegrationKey string `json:"integration_key"`
	SecretKey      string `json:"secret_key"`
	URL            string `json:"url"` // https://HOST
}

// Provider is "twilio", "command", "smtp", "ntfy" or "duo"; "" for a request with none.
func (r *Request) Provider() string {
	switch {
	case r.Twilio != nil:
		return "twilio"
	case r.Command != nil:
		return "command"
	case r.SMTP != nil:
		return "smtp"
	case r.Ntfy != nil:
		return "ntfy"
	case r.Duo != nil:
		return "duo"
	}
	return ""
}

// Limit is the longest time that the request may take.
func (r *Request) Limit() time.Duration { return r.Timeout + r.Wait }
