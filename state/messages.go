package state

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"twokey/internal/proc"
)

// Limits of what is sent to phones.
const (
	TextTries   = 3                // wrong answers that one message allows
	MaxTextLife = 15 * time.Minute // longest time for which the code of a message is good
	MaxShut     = 8                // sources from which push is shut
	PushShut    = 15 * time.Minute // longest time for which push is shut for a source
	PushRow     = 3                // pushes in a row that nobody answers, after which it is
	AnsweredFor = 2 * time.Minute  // how long a second PAM run of a login goes by the success of the first

	maxTexts       = 10 // in textsDay
	maxSoonTexts   = 3  // in textsSoon
	strangersTexts = 6  // of them for sources that are not known
	strangersSoon  = 2
	textsDay       = 24 * time.Hour
	textsSoon      = 15 * time.Minute
	rowDay         = 24 * time.Hour // how long a push that nobody has answered counts
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

// LimitError is for a text, or a push of an enrolment, above the caps of a user: 3 in 15 minutes, 10 in 24 hours.
type LimitError struct {
	Next time.Time // when the next may be sent
}

// Error says when the next may be sent.
func (e *LimitError) Error() string {
	return fmt.Sprintf("too many messages to this user, the next at %s", e.Next.UTC().Format("2006-01-02 15:04:05 UTC"))
}

// Messages is what was sent to a user's phone, and what is open of it. A clock that was set back gives nobody more: a text that was sent at
// a time that has not come yet counts as sent now, and a code that would be good for longer than MaxTextLife is not good.
type Messages struct {
	Texts      []time.Time // when texts, and pushes of enrolments, were sent in the last 24 hours, the oldest first, at most 10
	Code       *TextCode   // of the last text; nil: none is open
	Push       *OpenPush   // nil: none is open
	Shut       []ShutSource
	Answered   *Answered
	Confirmed  [8]byte // factor.PhoneMark of the number from which a code has come back; zero: none has
	Unanswered []Unanswered
}

// TextCode is the code of a text that was sent.
type TextCode struct {
	ID         ID // random
	Connection ID
	Source     string   // as SourceKey gives it
	Hash       [16]byte // factor.HashChallenge
	Until      time.Time
	Left       int  // tries, 1 to TextTries
	Known      bool // it was sent for a source that is known (State.Known)
}

// OpenPush is a request that is on the phone.
type OpenPush struct {
	ID      ID      // random
	Process proc.ID // that waits for the answer
	Until   time.Time
	Known   bool // it was sent for a source that is known (State.Known)
}

// ShutSource is a source whose last push was denied, or whose last PushRow nobody has answered: it sends none for a while.
type ShutSource struct {
	Source string // as SourceKey gives it
	Until  time.Time
}

// Unanswered is a source whose last pushes nobody has answered.
type Unanswered struct {
	Source string // as SourceKey gives it
	Pushes int    // 1 to PushRow-1
	Last   time.Time
}

// Answered is a success out of band.
type Answered struct {
	Connection ID
	Method     string // "sms", "push"
	Time       time.Time
}

// Format prints which text it is without what its code is looked for by.
func (c TextCode) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "text %x", c.ID) }

// open reports whether the code is good at a time.
func (c *TextCode) open(now time.Time) bool {
	return c.Left > 0 && now.Before(c.Until) && !c.Until.After(now.Add(MaxTextLife+clockSlack))
}

// open reports whether somebody still waits for the answer: a process that was killed has left nothing to wait for.
func (p *OpenPush) open(now time.Time) bool {
	if !now.Before(p.Until) {
		return false
	}
	return proc.Running(p.Process)
}

// at leaves out what is over at a time, and brings back what a clock has put ahead of it; it reports whether that was far ahead.
func (m *Messages) at(now time.Time) (ahead bool) {
	var texts []time.Time
	for _, sent := range m.Texts {
		ahead = ahead || sent.After(now.Add(clockSlack))
		if sent.After(now) {
			sent = now
		}
		if now.Sub(sent) < textsDay {
			texts = append(texts, sent)
		}
	}
	m.Texts = texts
	if m.Code != nil && !m.Code.open(now) {
		m.Code = nil
	}
	if m.Push != nil && !m.Push.open(now) {
		m.Push = nil
	}
	m.Shut = slices.DeleteFunc(m.Shut, func(s ShutSource) bool { return !now.Before(s.Until) })
	for i := range m.Shut {
		if longest := now.Add(PushShut); m.Shut[i].Until.After(longest) {
			ahead = ahead || m.Shut[i].Until.After(longest.Add(clockSlack))
			m.Shut[i].Until = longest
		}
	}
	for i := range m.Unanswered {
		if last := &m.Unanswered[i].Last; last.After(now) {
			ahead = ahead || last.After(now.Add(clockSlack))
			*last = now
		}
	}
	m.Unanswered = slices.DeleteFunc(m.Unanswered, func(u Unanswered) bool { return now.Sub(u.Last) >= rowDay })
	if m.Answered != nil && now.Sub(m.Answered.Time).Abs() >= AnsweredFor {
		m.Answered = nil
	}
	return ahead
}

// TakeText takes one text from the caps of the user (*LimitError) and of the host (see Store.TakeText), for a text whose code is kept
// elsewhere: that of an enrolment.
func (m *Messages) TakeText(s *Store, now time.Time, perHour int) error {
	m.at(now)
	if err := m.MayText(now, true); err != nil {
		return err
	}
	if err := s.TakeText(now, perHour); err != nil {
		return err
	}
	m.noteText(now)
	return nil
}

// TakePush takes the push of an enrolment from the caps of the user, as if it were a text: *LimitError. Those of logins have limits of their
// own (see MayPush and PushUnanswered).
func (m *Messages) TakePush(now time.Time) error {
	m.at(now)
	if err := m.MayText(now, true); err != nil {
		return err
	}
	m.noteText(now)
	return nil
}

// textLimit is how many texts may be sent in a time.
type textLimit struct {
	texts int
	in    time.Duration
}

// MayText is nil when one more text may be sent to the user, and else a *LimitError. From a source that is not known (State.Known) less may:
// some are left for him, and none while a code is open that was sent to a source that is known.
//
// Attack: with the password, ask for texts until the owner gets none, or end with each the code that he is typing.
func (m *Messages) MayText(now time.Time, known bool) error {
	limits := []textLimit{{maxSoonTexts, textsSoon}, {maxTexts, textsDay}}
	if !known {
		limits = []textLimit{{strangersSoon, textsSoon}, {strangersTexts, textsDay}}
	}
	next := time.Time{}
	if c := m.Code; !known && c != nil && c.Known && c.open(now) {
		next = c.Until
	}
	for _, limit := range limits {
		if len(m.Texts) < limit.texts {
			continue
		}
		if free := m.Texts[len(m.Texts)-limit.texts].Add(limit.in); free.After(next) {
			next = free
		}
	}
	if now.Before(next) {
		return &LimitError{next}
	}
	return nil
}

// MayPush reports whether a push may be sent: none is open, or it takes the place of a stranger's, which ends with that.
//
// Attack: with the password, keep a push open, so that the owner can send none.
func (m *Messages) MayPush(known bool) bool { return m.Push == nil || known && !m.Push.Known }

// AddText notes a text that is about to be sent, with its code, which ends the one before. It allows TextTries answers.
func (m *Messages) AddText(code TextCode, now time.Time) {
	code.Left, code.Source = TextTries, SourceKey(code.Source)
	m.noteText(now)
	m.Code = &code
}

func (m *Messages) noteText(now time.Time) {
	m.Texts = append(m.Texts, now)
	m.Texts = m.Texts[max(0, len(m.Texts)-maxTexts):]
}

// ShutPush shuts push for a source until then, PushShut from now at the longest; of more than MaxShut the one that was shut first goes.
func (m *Messages) ShutPush(source string, until time.Time) {
	source = SourceKey(source)
	m.Shut = slices.DeleteFunc(m.Shut, func(s ShutSource) bool { return s.Source == source })
	m.Shut = append(m.Shut, ShutSource{source, until})
	m.Shut = m.Shut[max(0, len(m.Shut)-MaxShut):]
}

// PushShut reports whether push is shut for a source, and until when.
func (m *Messages) PushShut(source string, now time.Time) (until time.Time, shut bool) {
	for _, s := range m.Shut {
		if s.Source == SourceKey(source) && now.Before(s.Until) {
			return s.Until, true
		}
	}
	return time.Time{}, false
}

// PushUnanswered notes a push that nobody has answered. The third in a row from a source, each within a day of the one before, shuts push
// for it. Of more than MaxShut sources the one that was noted first goes.
func (m *Messages) PushUnanswered(source string, now time.Time) {
	row := Unanswered{SourceKey(source), 1, now}
	for _, u := range m.Unanswered {
		if u.Source == row.Source {
			row.Pushes += u.Pushes
		}
	}
	m.PushAllowed(source)
	if row.Pushes >= PushRow {
		m.ShutPush(source, now.Add(PushShut))
		return
	}
	m.Unanswered = append(m.Unanswered, row)
	m.Unanswered = m.Unanswered[max(0, len(m.Unanswered)-MaxShut):]
}

// PushAllowed ends the row of pushes from a source that nobody has answered.
func (m *Messages) PushAllowed(source string) {
	m.Unanswered = slices.DeleteFunc(m.Unanswered, func(u Unanswered) bool { return u.Source == SourceKey(source) })
}

// UseText charges a try of the code that was sent for this connection and source, and only then asks match whether the answer is right.
// Right: the code is gone, and mark (factor.PhoneMark) says which number it came from. It is ErrNoText when none is open here, without a
// word to match, and ErrWrongText for a wrong answer; the third ends the code. When it returns nil, the use is on the disk.
func (t *Tx) UseText(now time.Time, connection ID, source string, mark [8]byte, match func(TextCode) bool) error {
	m, err := t.Messages(now)
	switch {
	case err != nil:
		return err
	case m.Code == nil || m.Code.Connection != connection || m.Code.Source != SourceKey(source):
		return ErrNoText
	}
	sent := *m.Code
	if m.Code.Left--; m.Code.Left == 0 {
		m.Code = nil
	}
	if err := t.SaveMessages(m); err != nil {
		return err
	}
	if !match(sent) {
		return ErrWrongText
	}
	m.Code, m.Confirmed = nil, mark
	return t.SaveMessages(m)
}
