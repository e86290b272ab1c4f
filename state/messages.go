package state

import (
	"errors"
	"fmt"
	"time"

	"twokey/internal/proc"
)

// Limits of what is sent to phones.
const (
	TextTries   = 3                // wrong answers that one message allows
	MaxTextLife = 15 * time.Minute // longest time for which the code of a message is good
	MaxShut     = 8                // sources from which push is shut
	PushShut    = 15 * time.Minute // longest time for which push is shut for a source
	AnsweredFor = 2 * time.Minute  // how long a second PAM run of a login goes by the success of the first

	maxTexts     = 10 // in textsDay
	maxSoonTexts = 3  // in textsSoon
	textsDay     = 24 * time.Hour
	textsSoon    = 15 * time.Minute
)

// Errors of messages.
var (
	// ErrNoText is for a code when none is open for this connection and source.
	ErrNoText = errors.New("no code was sent for this login, or it is over")
	// ErrWrongText is for a wrong code: a try is gone.
	ErrWrongText = errors.New("wrong code of a message")
	// ErrHostLimit is for a text above the host's cap.
	ErrHostLimit = errors.New("the host has sent as many texts in the last hour as it may")
)

// LimitError is for a text above the caps of a user: 3 in 15 minutes, 10 in 24 hours.
type LimitError struct {
	Next time.Time // when the next may be sent
}

// Error says when the next may be sent.
func (e *LimitError) Error() string {
	return fmt.Sprintf("too many texts to this user, the next at %s", e.Next.UTC().Format("2006-01-02 15:04:05 UTC"))
}

// Messages is what was sent to a user's phone, and what is open of it.
type Messages struct {
	Texts     []time.Time // when texts were sent in the last 24 hours, the oldest first, at most 10
	Code      *TextCode   // of the last text; nil: none is open
	Push      *OpenPush   // nil: none is open
	Shut      []ShutSource
	Answered  *Answered
	Confirmed [8]byte // factor.PhoneMark of the number from which a code has come back; zero: none has
}

// TextCode is the code of a text that was sent.
type TextCode struct {
	ID         ID // random
	Connection ID
	Source     string   // as SourceKey gives it
	Hash       [16]byte // factor.HashChallenge
	Until      time.Time
	Left       int // tries, 1 to TextTries
}

// OpenPush is a request that is on the phone.
type OpenPush struct {
	ID      ID      // random
	Process proc.ID // that waits for the answer
	Until   time.Time
}

// ShutSource is a source whose last push was denied: it sends none for a while.
type ShutSource struct {
	Source string // as SourceKey gives it
	Until  time.Time
}

// Answered is a success out of band.
type Answered struct {
	Connection ID
	Method     string // "sms", "push"
	Time       time.Time
}

// Messages is what is open and counts at a time; empty, and not nil, for a user of whom there is nothing.
func (t *Tx) Messages(now time.Time) (*Messages, error) { return t.store.Messages(t.User, now) }

// Messages is that of Tx for showing: decisions belong into Update.
func (s *Store) Messages(user string, now time.Time) (*Messages, error) { return &Messages{}, nil }

// SaveMessages keeps what is there now, synchronised when it returns nil.
func (t *Tx) SaveMessages(m *Messages) error { return nil }

// PrepareMessages makes the files that are written in place when a message is sent, if they are missing: on a full disk they could not be
// made.
func (t *Tx) PrepareMessages() error { return nil }

// EndMessages ends what is open, and that a number is confirmed, also when the file cannot be read any more. What was sent still counts:
// no change of a device buys more messages.
func (t *Tx) EndMessages(now time.Time) error { return nil }

// RemoveMessages takes away all that there is, for a user who is taken out.
func (t *Tx) RemoveMessages() error { return nil }

// UseText charges a try of the code that was sent for this connection and source, and then asks match whether the answer is right; match
// gets the code as it is open. Right: the code is gone, and mark (factor.PhoneMark) says which number it came from. It is ErrNoText when
// none is open, without a word to match, and ErrWrongText for a wrong answer; the third ends the code. When it returns nil, the use is on the
// disk.
func (t *Tx) UseText(now time.Time, connection ID, source string, mark [8]byte, match func(TextCode) bool) error {
	return ErrNoText
}

// MayText is nil when one more text may be sent to the user, and else a *LimitError.
func (m *Messages) MayText(now time.Time) error { return nil }

// AddText notes a text that is about to be sent, with its code, which ends the one before. Left is TextTries, whatever it was.
func (m *Messages) AddText(code TextCode, now time.Time) {}

// ShutPush shuts push for a source until then; of more than MaxShut the one that was shut first goes.
func (m *Messages) ShutPush(source string, until time.Time) {}

// PushShut reports whether push is shut for a source, and until when.
func (m *Messages) PushShut(source string, now time.Time) (until time.Time, shut bool) {
	return time.Time{}, false
}

// TakeText takes one text from the host's cap, 1 to 10000 in every hour: ErrHostLimit. It is called under the lock of a user's state, never
// the other way round.
func (s *Store) TakeText(now time.Time, perHour int) error { return nil }

// TextsToday is how many texts this host has sent in the last 24 hours.
func (s *Store) TextsToday(now time.Time) (int, error) { return 0, nil }
