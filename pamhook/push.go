package pamhook

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"twokey/audit"
	"twokey/device"
	"twokey/factor"
	"twokey/policy"
	"twokey/secrets"
	"twokey/state"
)

// A push
//
//   - MUST NOT be sent but behind a right password, nor while another of the user's is open, nor for a source from which one was denied a short
//     while ago, or three in a row that nobody has answered.
//   - MUST be paid before it is sent, like a try of a code, and not be sent when it cannot be; what it cost is given back when it has not come to
//     the phone, and else with a success alone.
//   - MUST let in only the login for which it was sent, and only if that is still open when the answer is looked at: a reset in between ends it.
//   - MUST NOT let in whom the number that was to be pressed was not shown.
//   - MUST end with the login: nobody waits for a client that has gone, nor longer than push.wait or than the phase may take.
//   - MUST count as a failed try when it is denied, or another number is pressed, whatever was typed meanwhile, and however the question on the
//     screen ends.

// The reasons for which a push lets nobody in.
var (
	errDenied     = errors.New("denied by the user")
	errFraud      = errors.New("denied by the user, who has reported it as fraud")
	errWrong      = errors.New("a wrong number was pressed on the phone")
	errDeniedThen = errors.New("a push was denied from this source a short while ago, or three in a row were not answered")
	errPushUnpaid = errors.New("throttled: too many tries have failed for a push to be sent")
	errPushOpen   = errors.New("another push to the user is open")
	errPushLate   = errors.New("nobody has answered the push in time")
	errPushEnded  = errors.New("what was allowed has been ended meanwhile")
	errUnseen     = errors.New("the application answered with the password: the number to press was shown to nobody")
	errUnasked    = errors.New("the provider lets the user in without asking a phone, which proves nothing where devices are changed")
	errByProvider = errors.New("the provider's policy does not let the user in")
	errNoPhone    = errors.New("the user has no device with the provider")
)

// problemTimeout is what the messenger calls it when the provider has said nothing in time.
const problemTimeout = "timeout"

// glance is how long it is waited for an answer that must have come already.
const glance = 50 * time.Millisecond

// preparePush takes what a push costs, and writes down that it is open.
//
// Attack: with the password, send one push after the other until the user presses Allow to have peace; those that he lets pass without a word
// would cost nothing.
func (r *run) preparePush(l ledger, sent *state.Messages, m *message, now time.Time) error {
	if _, shut := sent.PushShut(r.source, now); shut {
		m.line, m.reason = r.policy.Text(policy.MsgPushShut), errDeniedThen
		return nil
	}
	known := l.Known(r.source, now)
	if !sent.MayPush(known) {
		m.line, m.reason, m.quiet = r.policy.Text(policy.MsgPushOpen), errPushOpen, !known
		return nil
	}
	m.paid = r.attempt(now)
	m.paid.Cost = state.One
	if !l.Charge(m.paid) {
		m.line, m.reason, m.quiet = r.policy.Text(policy.MsgPushShut), errPushUnpaid, !known
		return nil
	}
	if err := l.write(); err != nil {
		return err
	}
	m.id = newID()
	if r.policy.Push.MatchNumber {
		m.right, m.wrong = factor.NewNumbers()
	}
	sent.Push = &state.OpenPush{ID: m.id, Process: r.host.Self, Until: now.Add(longestPush), Known: known}
	return l.phones.SaveMessages(sent)
}

// longestPush is how long a push can be open: as long as a phase. Before that it ends with the process that waits for it.
const longestPush = 2 * time.Minute

// sendPush asks the phone, and waits for its answer. What the provider lets in without asking is no proof for who wants to change his devices.
//
// Attack: with the password of somebody whom Duo lets in unasked for a day, since his phone is lost, link a phone that stays.
func (r *run) sendPush(m *message) Verdict {
	delivery, report, err := r.start(r.policy.Push.Timeout, func(by Messenger) (Delivery, error) { return by.Push(r.pushQuestion(m)) })
	defer r.end(delivery)
	r.noteSent(m, report, err)
	switch {
	case errors.Is(err, errGone):
		r.giveUp(m)
		return r.refuse(err)
	case errors.Is(err, errMessageLate), report.Problem == problemTimeout: // it may come to the phone yet
		r.giveUp(m)
		return r.notPushed(m, report, err)
	case err != nil || report.State == ReportFailed:
		r.drop(m)
		return r.notPushed(m, report, err)
	case report.State == ReportDenied: // by the provider, without the phone: nobody has said no
		r.drop(m)
		return r.refuse(errByProvider)
	case report.State == ReportAllowed && r.hello.Service == policy.SelfService:
		r.drop(m)
		return r.refuse(errUnasked)
	case report.State == ReportAllowed:
		r.unasked = true
		return r.allowed(m, report, "let in by the provider, which has asked no phone")
	case report.State != ReportSent:
		return r.pushed(m, report)
	}
	return r.awaitPhone(m, delivery)
}

// awaitPhone waits for the phone's answer while the person sees what is to be pressed there.
func (r *run) awaitPhone(m *message, delivery Delivery) Verdict {
	until := r.host.Now().Add(r.policy.Push.Wait)
	given := r.ask(r.pushPrompt(m))
	unseen := r.unseen(m, given)
	report, err := r.glanceAt(m, delivery)
	switch {
	case err == nil && report.byPhone():
		return r.decided(m, report, unseen)
	case unseen != nil:
		r.giveUp(m)
		return r.refuse(unseen)
	case given.err == nil && !isEnter(given):
		r.giveUp(m)
		return r.try(given)
	case err == nil:
		return r.pushed(m, report)
	}
	if report, err = r.answerOf(m, delivery, until.Add(slack)); err != nil {
		return r.unanswered(m, err)
	}
	return r.pushed(m, report)
}

// glanceAt looks whether the phone has answered by now: also when nobody waits any more, since the client has gone or the time is over.
//
// Attack: hold the question until the connection breaks or the phase is over, so that the user's no does not count.
func (r *run) glanceAt(m *message, delivery Delivery) (Report, error) {
	return r.unforged(m, func() (Report, error) { return delivery.Next(r.host.Now().Add(glance)) })
}

// byPhone reports whether whoever holds the phone has said something.
func (report Report) byPhone() bool {
	return report.State == ReportAllowed || report.State == ReportDenied || report.State == ReportWrong
}

// decided is a push whose answer has come when the person had answered the question. What he has typed does not count any more; that he has
// gone, or that the question was shown to nobody, does, but never against a no.
func (r *run) decided(m *message, report Report, unseen error) Verdict {
	if unseen != nil && report.State == ReportAllowed {
		r.giveUp(m)
		return r.refuse(unseen)
	}
	return r.pushed(m, report)
}

// unseen is why nobody can have seen the question, or will hear more; nil: somebody has. What sshd's "password" method gives for an answer is
// the password, and the question is shown to nobody: that is enough where there is nothing to be seen.
//
// Attack: have the number pressed by somebody who has to guess it.
func (r *run) unseen(m *message, given reply) error {
	if !errors.Is(given.err, errIsPassword) {
		return given.err
	}
	r.byServer = true
	if m.right != 0 {
		return errUnseen
	}
	return nil
}

// isEnter reports whether nothing was typed.
func isEnter(given reply) bool { return given.word == "" && given.answer.Kind == factor.Empty }

// answerOf waits for the answer of the phone.
func (r *run) answerOf(m *message, delivery Delivery, until time.Time) (Report, error) {
	return r.unforged(m, func() (Report, error) { return r.await(delivery, until) })
}

// unforged is the next answer of the phone itself. Forged ones are recorded.
func (r *run) unforged(m *message, next func() (Report, error)) (Report, error) {
	for {
		report, err := next()
		if err != nil || report.State != ReportForged {
			return report, err
		}
		rec := r.record(actionForged, audit.Failure, "an answer to a push came from somebody who does not have it")
		r.append(r.ofMessage(rec, m, report))
	}
}

// pushed is a push that is decided.
func (r *run) pushed(m *message, report Report) Verdict {
	switch report.State {
	case ReportAllowed:
		return r.allowed(m, report, "allowed on the phone")
	case ReportDenied:
		if report.Fraud {
			return r.denied(m, errFraud)
		}
		return r.denied(m, errDenied)
	case ReportWrong:
		return r.denied(m, errWrong)
	case ReportFailed:
		r.giveUp(m)
		return r.notPushed(m, report, nil)
	}
	return r.unanswered(m, ErrNothingYet)
}

// allowed lets in. The user must still have the device, and the push be open.
func (r *run) allowed(m *message, report Report, how string) Verdict {
	r.how = how
	if report.Detail != "" {
		r.how += ": " + report.Detail
	}
	return r.letInBy(func(then ending) error {
		return r.closePush(m, func(tx *state.Tx, set *device.Set, sent *state.Messages, now time.Time) error {
			if r.unasked {
				tx.State.GiveBack(m.paid)
			}
			return then(tx, set, sent, now)
		})
	})
}

// ending is what is done at the end of what was sent, under the user's lock.
type ending func(*state.Tx, *device.Set, *state.Messages, time.Time) error

// letInBy lets in whose phone has said yes, if that could be written down.
func (r *run) letInBy(update func(ending) error) Verdict {
	var used device.Used
	err := update(func(tx *state.Tx, set *device.Set, sent *state.Messages, now time.Time) (err error) {
		if used, err = set.UseOutOfBand(device.Push, now, r.source); err != nil {
			return err
		}
		sent.PushAllowed(r.source)
		r.leaveAnswered(sent, device.Push, now)
		r.settle(tx.State, r.attempt(now), used, now)
		return nil
	})
	if err != nil {
		return r.refuse(err)
	}
	return r.letIn(err, r.recordOf(used))
}

// denied ends the login. What the push cost stays taken, as for a wrong code, and this source sends no push for a while.
func (r *run) denied(m *message, reason error) Verdict {
	err := r.endPush(m, func(_ *state.State, sent *state.Messages, now time.Time) {
		sent.ShutPush(r.source, now.Add(state.PushShut))
	})
	return r.refuse(errors.Join(reason, err))
}

// notPushed goes on after a push that the provider has not sent, or of which it can tell no more.
//
// Attack: with the password alone, enrol a phone of one's own with the provider.
func (r *run) notPushed(m *message, report Report, err error) Verdict {
	switch {
	case report.Enroll != "" && r.policy.AtLogin == policy.AtLoginYes:
		return r.refuse(toldError{errNoPhone, r.policy.Text(policy.MsgPushEnroll, "ADDRESS", report.Enroll)})
	case report.Enroll != "":
		err = errNoPhone
	case err == nil:
		err = errors.New("the push was not answered: " + report.Problem)
	}
	return r.another(m, r.policy.Text(policy.MsgNotSent), err)
}

// unanswered ends a login for whose push nobody has pressed anything.
func (r *run) unanswered(m *message, err error) Verdict {
	r.giveUp(m)
	if !errors.Is(err, ErrNothingYet) {
		return r.refuse(err)
	}
	return r.refuse(toldError{errPushLate, r.policy.Text(policy.MsgPushLate)})
}

// closePush takes the open push away, with what is to be done at its end; errPushEnded when it was not open any more.
func (r *run) closePush(m *message, then ending) error {
	return r.withPhones(func(tx *state.Tx, set *device.Set, sent *state.Messages, now time.Time) error {
		if sent.Push == nil || sent.Push.ID != m.id {
			return errPushEnded
		}
		sent.Push = nil
		return then(tx, set, sent, now)
	})
}

// withPhones changes what was sent to the user's phones.
func (r *run) withPhones(then ending) error {
	return r.withUser(func(tx *state.Tx, record *secrets.Record) error {
		set, now, err := r.join(tx.State, tx.Flush, record)
		if err != nil {
			return err
		}
		sent, err := tx.Messages(now)
		if err != nil {
			return err
		}
		if err := then(tx, set, sent, now); err != nil {
			return err
		}
		return tx.SaveMessages(sent)
	})
}

// drop takes away a push that has not come to the phone, and gives back what it cost.
func (r *run) drop(m *message) {
	r.warnIfOpen(r.endPush(m, func(st *state.State, _ *state.Messages, _ time.Time) { st.GiveBack(m.paid) }))
}

// giveUp takes away a push that can be on the phone, and that nobody has allowed.
func (r *run) giveUp(m *message) {
	r.warnIfOpen(r.endPush(m, func(_ *state.State, sent *state.Messages, now time.Time) { sent.PushUnanswered(r.source, now) }))
}

// endPush takes the push away, if it is still open, and notes what has come of it in any case.
//
// Attack: let a push be replaced by one of the owner's, so that his no to the first is not counted.
func (r *run) endPush(m *message, note func(*state.State, *state.Messages, time.Time)) error {
	return r.withPhones(func(tx *state.Tx, _ *device.Set, sent *state.Messages, now time.Time) error {
		if sent.Push != nil && sent.Push.ID == m.id {
			sent.Push = nil
		}
		note(tx.State, sent, now)
		return nil
	})
}

// warnIfOpen says that a push could not be taken away. It is over when this process is.
func (r *run) warnIfOpen(err error) {
	if err != nil {
		r.host.Warn("a push to " + r.hello.Name + " stays open for a moment: " + err.Error())
	}
}

// pushPrompt says what is to be done on the phone. It is a question, since OpenSSH before 10.3 shows other texts no sooner than the next one.
func (r *run) pushPrompt(m *message) string {
	switch {
	case m.factor == FactorPhone:
		return r.policy.Text(policy.MsgCallPrompt)
	case m.right == 0:
		return r.policy.Text(policy.MsgAllowPrompt)
	}
	return r.policy.Text(policy.MsgNumberPrompt, "NUMBER", strconv.Itoa(m.right))
}

// from is where the login comes from, and who has called su or sudo for another account.
func (r *run) from() string {
	if r.hello.RHost != "" {
		return r.hello.RHost
	}
	if caller := r.hello.RUser; caller != "" && caller != r.hello.Name {
		return strings.TrimSuffix(caller+", "+r.hello.TTY, ", ")
	}
	return r.hello.TTY
}

// pushTitle is what the phone asks.
//
// Attack: with the password, change the user's devices, who allows what he takes for his login.
func (r *run) pushTitle() policy.Message {
	if r.hello.Service == policy.SelfService {
		return policy.MsgPhoneTitleOwn
	}
	return policy.MsgPhoneTitle
}

// pushQuestion is what the phone is asked.
func (r *run) pushQuestion(m *message) PushQuestion {
	q := PushQuestion{ID: m.id, Secret: m.secret, User: r.hello.Name, Factor: m.factor, Right: m.right, Wrong: m.wrong, Passcode: m.typed,
		Wait: r.policy.Push.Wait, Title: r.policy.Text(r.pushTitle(), "HOST", r.host.Name),
		Allow: r.policy.Text(policy.MsgPhoneAllow), Deny: r.policy.Text(policy.MsgPhoneDeny)}
	if addr, err := netip.ParseAddr(r.hello.RHost); err == nil {
		q.From = addr.Unmap().String()
	}
	for _, fact := range []struct {
		name  policy.Message
		value string
	}{
		{policy.MsgPhoneUser, r.hello.Name}, {policy.MsgPhoneFrom, r.from()}, {policy.MsgPhoneHost, r.host.Name},
		{policy.MsgPhoneService, r.hello.Service}, {policy.MsgPhoneTime, r.host.Now().Format("2006-01-02 15:04:05 MST")},
	} {
		q.Facts = append(q.Facts, Fact{r.policy.Text(fact.name), fact.value})
	}
	return q
}
