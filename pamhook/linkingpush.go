package pamhook

import (
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"twokey/audit"
	"twokey/device"
	"twokey/factor"
	"twokey/policy"
	"twokey/state"
)

// A phone that is to be asked, at an enrolment
//
//   - MUST be linked only when a push that was sent to it in this conversation was allowed there; with a number, by the one on the screen.
//   - MUST NOT be linked when the provider lets the user in without asking his phone.
//   - MUST NOT be asked above the caps of the user where the provider has his phone already, as Duo has: the topic of ntfy is a new one, which
//     only who enrols listens to.
//   - MUST NOT be linked when the push was denied or another number pressed: that ends the enrolment.

// pushRounds is how often a push is sent to whose phone gives no answer.
const pushRounds = 5

// byPush links a phone that is asked.
func (l *linking) byPush() error {
	text := policy.MsgEnrollNtfy
	if l.duo() {
		text = policy.MsgEnrollDuo
	}
	l.tell(text)
	if _, err := l.ask(policy.MsgEnrollReadyPrompt, true); err != nil {
		return err
	}
	if err := l.begin(device.Push); err != nil {
		return err
	}
	for round := range pushRounds {
		if err := l.beforePush(round); err != nil {
			return err
		}
		if err := l.testPush(); !errors.Is(err, errAgain) {
			return err
		}
	}
	return errTries
}

func (l *linking) duo() bool { return l.run.policy.Push.Provider == policy.ProviderDuo }

// beforePush waits until the phone can be asked: until it has subscribed, or, with Duo, until another push is wanted.
func (l *linking) beforePush(round int) error {
	switch {
	case !l.duo():
		return l.subscribe()
	case round == 0:
		return nil
	}
	_, err := l.ask(policy.MsgEnrollPushAgainPrompt, true)
	return err
}

// subscribe shows the topic until the phone listens to it.
func (l *linking) subscribe() error {
	l.showTopic(l.draft.Shown().Picture)
	for range appRounds {
		answer, err := l.ask(policy.MsgEnrollNtfyPrompt, true)
		switch {
		case err != nil:
			return err
		case l.otherPicture(answer) == "":
			return nil
		}
		l.showTopic(l.otherPicture(answer))
	}
	return errTries
}

// showTopic says how the phone gets to the topic. One whose picture is too long to be shown is typed.
func (l *linking) showTopic(picture string) {
	shown := l.draft.Shown()
	if len(picture) > maxPicture {
		picture = ""
	}
	picture = strings.TrimSuffix(picture, "\n")
	lines := strings.Split(picture, "\n")
	l.tell(policy.MsgEnrollNtfyShow, "SERVER", l.run.policy.Push.Address(), "TOPIC", shown.Topic, "ADDRESS", shown.Address,
		"WIDTH", strconv.Itoa(utf8.RuneCountInString(lines[0])), "LINES", strconv.Itoa(len(lines)+linesBelow))
	if picture != "" {
		l.say(picture)
	}
}

// testPush asks the phone; errAgain: there was no answer, and the person has been told why.
func (l *linking) testPush() error {
	r, m := l.run, l.message()
	m.factor, m.id = FactorPush, newID()
	if err := l.takePush(); err != nil {
		return l.noPush(m, err)
	}
	if r.policy.Push.MatchNumber {
		m.right, m.wrong = factor.NewNumbers()
	}
	question := r.pushQuestion(m)
	question.Title = l.text(policy.MsgEnrollPushTitle)
	delivery, report, err := r.start(r.policy.Push.Timeout, func(by Messenger) (Delivery, error) { return by.Push(question) })
	defer r.end(delivery)
	r.noteSent(m, report, err)
	if err != nil || report.State != ReportSent {
		return l.notPushed(report, err)
	}
	until := r.host.Now().Add(r.policy.Push.Wait + slack)
	if err := l.askPush(m); err != nil {
		return err
	}
	report, err = r.answerOf(m, delivery, later(until, r.host.Now().Add(glance)))
	return l.pushed(m, report, err)
}

func (l *linking) takePush() error {
	if !l.duo() {
		return nil
	}
	return l.enrolment.TakePush(l.run.whoEnrols())
}

// noPush goes on without a push that may not be sent.
func (l *linking) noPush(m *message, err error) error {
	var limit *state.LimitError
	if !errors.As(err, &limit) {
		return err
	}
	l.run.noteSent(m, Report{}, err)
	l.tell(policy.MsgPushShut)
	return errChooseAgain
}

// askPush says what is to be pressed, and waits for Enter.
func (l *linking) askPush(m *message) error {
	prompt, pairs := policy.MsgEnrollPushAllowPrompt, []string(nil)
	if m.right != 0 {
		prompt, pairs = policy.MsgEnrollPushPrompt, []string{"NUMBER", strconv.Itoa(m.right)}
	}
	l.unread = append(l.unread, "") // it stands on a line of its own
	_, err := l.ask(prompt, true, pairs...)
	return err
}

// notPushed goes on after a push that has not come to the phone. What the provider allows without it proves no phone.
func (l *linking) notPushed(report Report, err error) error {
	switch {
	case errors.Is(err, errGone):
		return err
	case report.Enroll != "":
		l.tell(policy.MsgEnrollDuoAddress, "ADDRESS", report.Enroll)
		return errAgain
	}
	l.tell(policy.MsgNotSent)
	return errChooseAgain
}

// pushed is a push that was sent, and what has come of it.
func (l *linking) pushed(m *message, report Report, err error) error {
	switch {
	case errors.Is(err, errGone):
		return err
	case errors.Is(err, ErrNothingYet), err == nil && report.State == ReportLate:
		l.tell(policy.MsgEnrollPushLate)
		return errAgain
	case err == nil && report.State == ReportAllowed:
		return l.draft.ConfirmPush()
	case err == nil && report.State == ReportDenied:
		return errDenied
	case err == nil && report.State == ReportWrong:
		return errWrong
	}
	reason := "the push was not answered: " + report.Problem
	if err != nil {
		reason = "the push was not answered: " + err.Error()
	}
	r := l.run
	r.append(r.ofMessage(r.record(actionPush, audit.Failure, reason), m, report))
	l.tell(policy.MsgNotSent)
	return errChooseAgain
}

// later is the later of two times.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
