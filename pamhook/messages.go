package pamhook

import (
	"errors"
	"time"
)

// Messenger sends something to users' phones; cmd/twokey-verify makes one of package deliver. An error is one of this host, such as a
// credential file that others can read; what the provider says is a Report.
type Messenger interface {
	Text(TextMessage) (Delivery, error)
	Push(PushQuestion) (Delivery, error)
}

// TextMessage is a code on its way to a phone.
type TextMessage struct {
	User   string // whose phone it is
	Number string // E.164
	Code   string
}

// PushQuestion is what a phone is asked. Its texts are one line each, of printable characters.
type PushQuestion struct {
	ID     [8]byte // of this question alone
	Secret []byte  // of the user's device
	User   string  // its name with the provider
	Factor PushFactor
	// Right is the number that stands on the screen, and Wrong one that stands on the phone beside it, 10 to 99; both 0: the phone shows
	// Allow and Deny.
	Right, Wrong int
	Passcode     string // for FactorPasscode
	Title        string
	Facts        []Fact // who, from where, to which host and service, when
	Allow, Deny  string // what stands on these buttons
	From         string // the client's address; "": none is known
	Wait         time.Duration
}

// Fact is one thing that whoever holds the phone is told.
type Fact struct{ Name, Value string }

// PushFactor is how a provider asks. All but FactorPush are Duo's.
type PushFactor string

// The ways of asking.
const (
	FactorPush     PushFactor = "push"
	FactorPhone    PushFactor = "phone"    // a call
	FactorPasscode PushFactor = "passcode" // nobody is asked: what was typed is looked at
)

// Delivery is a message on its way. Its methods are for one goroutine.
type Delivery interface {
	// Next gives what comes next, ErrNothingYet when that is nothing until then. Another error: nothing will come any more.
	Next(until time.Time) (Report, error)
	// Close ends the waiting. What is with the provider reaches the phone all the same.
	Close() error
}

// ErrNothingYet is returned by Delivery.Next when nothing has come.
var ErrNothingYet = errors.New("nothing has come from the provider yet")

// Report is what has become of a message. Its texts are one line each, for the audit log, with nothing secret in it.
type Report struct {
	State   ReportState
	Problem string // one word, of ReportFailed
	Detail  string
	Advice  string // what an administrator can do
	Enroll  string // address where the user gets a device with the provider; "": he has one
	Fraud   bool   // of ReportDenied: the user has said that it was somebody else who asked
}

// ReportState is how far a message is.
type ReportState int

// How far a message can be. The zero value lets nobody in.
const (
	ReportFailed  ReportState = iota
	ReportSent                // it is with the provider; of a text message that is the end
	ReportForged              // somebody has answered who does not have the message; the waiting goes on
	ReportAllowed             // the right answer was given
	ReportDenied              // the answer was no
	ReportWrong               // another number was pressed than stood on the screen
	ReportLate                // nobody has answered in time
)
