package pamhook

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"twokey/audit"
	"twokey/device"
	"twokey/policy"
	"twokey/secrets"
	"twokey/state"
)

// What the audit log calls what is sent, and its fields.
const (
	actionText   = "sms-sent"
	actionPush   = "push-sent"
	actionForged = "push-forged"

	providerKey = "twokey.provider"
	phoneKey    = "twokey.phone" // the last three digits of the number
	problemWord = "twokey.problem"
	detailKey   = "twokey.detail"
	adviceKey   = "twokey.advice"
)

const (
	// lookUp is how often it is looked whether the client is still there, while something is waited for: the module gives us two seconds to
	// write down that it has gone.
	lookUp = 250 * time.Millisecond
	// beforeEnd is what is left of the phase's time for the record and the verdict, when a wait ends.
	beforeEnd = 3 * time.Second
	// slack is by how much what is sent by another process may come later than that process was to give up.
	slack = 2 * time.Second
)

// errMessageLate is for what was not with the provider in time.
var errMessageLate = errors.New("the message was not with the provider in time")

// message is something that is to be sent to the user's phone.
type message struct {
	method string // device.SMS or device.Push
	factor PushFactor
	device string // the name of the user's device
	secret []byte // of it
	number string // for SMS, E.164
	code   string // of a text; "": the one that was sent before is still good
	id     state.ID
	right  int // the number on the screen, and the other one; 0: there is none
	wrong  int
	typed  string        // a passcode
	paid   state.Attempt // what a push has cost
	others []string
	codes  bool // the user has something to type that needs no message

	line   string // why nothing is sent, for the person; ""
	reason error  // the same, for the log
	quiet  bool   // the person hears no more of it than of a wrong code
}

// toldError is the reason of a refusal of which the person is told more than of others. He has given his password, and it is about his phone.
type toldError struct {
	error
	text string
}

// Unwrap gives the reason.
func (e toldError) Unwrap() error { return e.error }

// prepare decides under the lock what is sent, and writes down that it is on its way before anything is. The result is errChosen, with
// run.message, also when nothing is to be sent and the person has to hear why.
func (r *run) prepare(l ledger, record *secrets.Record, set *device.Set, word string, given reply, now time.Time) error {
	if r.choices++; r.choices > maxChoices {
		return errChoices
	}
	sent, err := l.phones.Messages(now)
	if err != nil {
		return err
	}
	m := r.newMessage(l, set, word)
	if m.codes, err = r.canType(l, set, now); err != nil {
		return err
	}
	if m.method == device.SMS {
		m.number = record.Phone
		err = r.prepareText(l, sent, m, given, now)
	} else {
		err = r.preparePush(l, sent, m, now)
	}
	if err != nil {
		return err
	}
	r.message = m
	return errChosen
}

func (r *run) newMessage(l ledger, set *device.Set, word string) *message {
	m := &message{method: methodOf(word), factor: PushFactor(word)}
	m.secret = set.SecretOf(m.method)
	for _, d := range l.State.Devices {
		if d.Method == m.method {
			m.device = d.Name
		}
	}
	for _, other := range r.offered() {
		if method := methodOf(other); method != m.method && slices.Contains(set.OutOfBand(), method) {
			m.others = append(m.others, method)
		}
	}
	return m
}

// canType reports whether the user has an answer for a question although nothing was sent to him: an app, a recovery code, or a bypass code.
func (r *run) canType(l ledger, set *device.Set, now time.Time) (bool, error) {
	if set.Codes() || l.State.Recovery.Left() > 0 && slices.Contains(r.outcome.Methods, device.Recovery) {
		return true, nil
	}
	open, err := l.phones.Bypasses(now)
	return len(open) > 0, err
}

// follow sends what was prepared and goes on with the login. A stranger hears nothing of limits that he can have used up, or sees reached,
// without the password.
//
// Attack: at a service that takes the code first use up the tries of strangers, and then try passwords elsewhere with the word "push", which
// rings nowhere: the right one is told that nothing is sent.
func (r *run) follow() Verdict {
	m := r.message
	r.message = nil
	switch {
	case m.quiet:
		r.noteSent(m, Report{}, m.reason)
		return r.refuse(m.reason)
	case m.line != "":
		r.noteSent(m, Report{}, m.reason)
		return r.another(m, m.line, m.reason)
	case m.method == device.SMS:
		return r.sendText(m)
	case m.factor == FactorPasscode:
		return r.tryPasscode(m)
	}
	return r.sendPush(m)
}

// another asks for another answer than what could not be sent; who has none is refused. The words stay those of the host, but for what has
// just failed.
func (r *run) another(m *message, line string, reason error) Verdict {
	r.failed = append(r.failed, m.method)
	left := slices.ContainsFunc(m.others, func(method string) bool { return !slices.Contains(r.failed, method) })
	if !left && !m.codes {
		return r.refuse(toldError{reason, line + " " + r.policy.Text(policy.MsgRefused)})
	}
	return r.goOn(r.ask("\n" + line + "\n" + r.policy.QuestionText(r.stillOffered())))
}

// stillOffered are the words of what has not failed in this login.
func (r *run) stillOffered() []string {
	return slices.DeleteFunc(slices.Clone(r.offered()), func(word string) bool { return slices.Contains(r.failed, methodOf(word)) })
}

// goOn looks at an answer to a later question. Only who may get in is asked one.
func (r *run) goOn(given reply) Verdict {
	if given.err != nil {
		return r.refuse(given.err)
	}
	return r.try(given)
}

// newID names one message.
func newID() (id state.ID) {
	rand.Read(id[:]) // never fails: it would end the program
	return id
}

// start hands a message to the messenger, and waits until it is with the provider or is not. The delivery is nil when there is none to
// close.
func (r *run) start(within time.Duration, start func(Messenger) (Delivery, error)) (Delivery, Report, error) {
	messenger, err := r.host.Messenger(r.policy)
	if err != nil {
		return nil, Report{}, err
	}
	delivery, err := start(messenger)
	if err != nil {
		return nil, Report{}, err
	}
	report, err := r.await(delivery, r.host.Now().Add(within+slack))
	if errors.Is(err, ErrNothingYet) {
		err = errMessageLate
	}
	return delivery, report, err
}

// await waits for what comes next, until then and never past the end of the phase, and not for a client that has gone (errGone).
// ErrNothingYet: nothing has come.
func (r *run) await(delivery Delivery, until time.Time) (Report, error) {
	if end := r.host.End.Add(-beforeEnd); !r.host.End.IsZero() && end.Before(until) {
		until = end
	}
	if left := until.Sub(r.host.Now()); left > 0 {
		if err := r.conv.Wait(int(min(left+slack, longestSilence).Seconds()) + 1); err != nil {
			return Report{}, err
		}
	}
	for {
		now := r.host.Now()
		report, err := delivery.Next(earlier(until, now.Add(lookUp)))
		switch {
		case !errors.Is(err, ErrNothingYet):
			return report, err
		case r.host.Gone():
			return Report{}, errGone
		case !r.host.Now().Before(until):
			return Report{}, ErrNothingYet
		}
	}
}

// longestSilence is what can be said to the module by one frame, less a second.
const longestSilence = (90 - 1) * time.Second

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// end closes a delivery; nil: there is none.
func (r *run) end(delivery Delivery) {
	if delivery == nil {
		return
	}
	if err := delivery.Close(); err != nil {
		r.host.Warn("a message to a phone: " + err.Error())
	}
}

// noteSent records what was sent, or why it was not. Neither what was sent nor the whole number is in it.
func (r *run) noteSent(m *message, report Report, err error) {
	action := actionPush
	if m.method == device.SMS {
		action = actionText
	}
	rec := r.record(action, audit.Success, "sent")
	switch {
	case err != nil:
		rec.Outcome, rec.Reason = audit.Failure, "not sent: "+strings.ReplaceAll(err.Error(), "\n", "; ")
	case report.State == ReportFailed:
		rec.Outcome, rec.Reason = audit.Failure, "not sent: "+report.Problem
	case report.State != ReportSent:
		rec.Reason = "not sent: the provider has decided without it"
	}
	r.append(r.ofMessage(rec, m, report))
	if rec.Outcome == audit.Failure && m.line == "" {
		r.host.Warn(fmt.Sprintf("%s to %s: %s %s %s", action, r.hello.Name, rec.Reason, report.Detail, report.Advice))
	}
}

// ofMessage adds to a record which message it is about.
func (r *run) ofMessage(rec audit.Record, m *message, report Report) audit.Record {
	rec.Method, rec.Device = m.method, m.device
	details := []audit.Detail{{Key: providerKey, Value: r.providerOf(m)}, {Key: phoneKey, Value: lastDigits(m.number)},
		{Key: problemWord, Value: report.Problem}, {Key: detailKey, Value: report.Detail}, {Key: adviceKey, Value: report.Advice}}
	for _, d := range details {
		if d.Value != "" {
			rec.Details = append(rec.Details, d)
		}
	}
	return rec
}

func (r *run) providerOf(m *message) string {
	if m.method == device.SMS {
		return r.policy.SMS.Provider
	}
	return r.policy.Push.Provider
}
