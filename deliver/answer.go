package deliver

import (
	"errors"
	"time"
)

// ErrAnswer is returned for an answer that is not as this package says.
var ErrAnswer = errors.New("twokey-notify said what it may not say")

// State is how far a request is.
type State string

const (
	StateSent    State = "sent"    // the provider has it; for a text this is the end
	StateForged  State = "forged"  // push: somebody answered who has not got the message; the waiting goes on
	StateAllow   State = "allow"   // push: the right button was pressed
	StateDeny    State = "deny"    // push: the person said no
	StateWrong   State = "wrong"   // push: another number than the one on the screen was pressed
	StateTimeout State = "timeout" // push: nobody has pressed anything in time
	StateFailed  State = "failed"  // Problem says why
	StateOK      State = "ok"      // account, describe, check: the answer is there
)

// Problem is one word for why something failed, for whoever branches or counts.
type Problem string

const (
	ProblemUnreachable Problem = "unreachable" // no connection: no such host, nothing listens, reset
	ProblemTimeout     Problem = "timeout"     // the provider took too long
	ProblemTLS         Problem = "tls"         // the certificate is not good for the name, or no TLS 1.2
	ProblemRedirect    Problem = "redirect"    // the provider sent us elsewhere; nobody is followed
	ProblemAnswer      Problem = "answer"      // no answer of such a service: HTML, too long, malformed, cut off
	ProblemServer      Problem = "server"      // it says that it cannot now: a status of 500 or more
	ProblemCredentials Problem = "credentials" // it does not know us
	ProblemRefused     Problem = "refused"     // it knows us and will not
	ProblemLimit       Problem = "limit"       // too many requests; Retry says when to come again, if the provider did
	ProblemNumber      Problem = "number"      // no number that a text can be sent to
	ProblemUnverified  Problem = "unverified"  // a trial account, and the number is not one of its verified ones (Twilio 21608)
	ProblemBlocked     Problem = "blocked"     // the person has sent STOP (Twilio 21610)
	ProblemRegion      Problem = "region"      // the account may not send to that country (Twilio 21408)
	ProblemEnroll      Problem = "enroll"      // the person has no device with the provider; EnrollURL is where to get one
	ProblemForged      Problem = "forged"      // so many forged answers that the waiting was given up
	ProblemCommand     Problem = "command"     // the program could not be started, or failed
	ProblemSettings    Problem = "settings"    // the request itself cannot be: an address that is not https, for example
)

// problems are all of them.
var problems = []Problem{
	ProblemUnreachable, ProblemTimeout, ProblemTLS, ProblemRedirect, ProblemAnswer, ProblemServer, ProblemCredentials, ProblemRefused,
	ProblemLimit, ProblemNumber, ProblemUnverified, ProblemBlocked, ProblemRegion, ProblemEnroll, ProblemForged, ProblemCommand, ProblemSettings,
}

// Answer is one line of twokey-notify. Each text is one line of printable characters, at most 200, with nothing secret in it.
type Answer struct {
	State     State         `json:"state"`
	Problem   Problem       `json:"problem,omitempty"`    // of a failure
	Detail    string        `json:"detail,omitempty"`     // for the log
	Advice    string        `json:"advice,omitempty"`     // what the administrator can do
	EnrollURL string        `json:"enroll_url,omitempty"` // duo: where the person enrols; https, at most 200 bytes
	ID        string        `json:"id,omitempty"`         // the provider's name for the message (Twilio: SID)
	Status    string        `json:"status,omitempty"`     // the provider's word for how far it is (Twilio: queued)
	Retry     time.Duration `json:"retry,omitempty"`      // the provider asks for this pause
	Account   *Account      `json:"account,omitempty"`    // account
	Number    *Number       `json:"number,omitempty"`     // describe
}

// Account is what a provider says of an account.
type Account struct {
	Name    string `json:"name,omitempty"`
	State   string `json:"state,omitempty"`   // twilio: "trial" or "full"; else the provider's word
	Balance string `json:"balance,omitempty"` // with its currency
}

// Number is what is known of a telephone number.
type Number struct {
	Valid   bool   `json:"valid"`
	Region  string `json:"region,omitempty"`  // ISO 3166-1: GB
	Country string `json:"country,omitempty"` // United Kingdom
}

// Final reports whether nothing follows this answer to a request of this kind.
func (s State) Final(kind Kind) bool {
	switch s {
	case StateSent:
		return kind == KindText
	case StateForged:
		return false
	}
	return true
}
