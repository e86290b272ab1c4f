package pamhook

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"twokey/audit"
	"twokey/device"
	"twokey/factor"
	"twokey/pamhook/wire"
	"twokey/policy"
	"twokey/state"
)

// How often somebody may answer what cannot be right, before he has to log in again.
const (
	codeTries   = 3 // of the enrolment code, which has 60 bits
	choiceTries = 6 // of what will hold the codes; what nothing can be linked by leads back to that question
	appTries    = 5 // of the app's first code
	appRounds   = 20
	emptyTries  = 10 // nothing, where there has to be a code
)

// clockOff is from where on somebody is told that the clock of his device is wrong: less is the time that he needs to type.
const clockOff = 45 * time.Second

// clockFarOff is from where on that is said in minutes.
const clockFarOff = 2 * time.Minute

// maxPicture is the longest picture that is shown, in bytes: what belongs to it has room beside it. That of an address with names of a usual
// length has less than half of it.
const maxPicture = wire.MaxText - 4096

// linking is the conversation in which somebody links a device to his account. What he has to read stands in the next question: OpenSSH
// before 10.3 holds other texts back until then. OpenSSH's client puts "(user@host) " before a question, so each text begins with a new line.
type linking struct {
	run       *run
	enrolment Enrolment
	phones    bool   // what is sent to phones counts at this service: its logins ask behind the password
	given     string // the enrolment code, if one is wanted
	holder    holder
	number    place // of a device of SMS
	draft     Draft
	unread    []string // what stands before the next question
	answered  bool     // a question was
}

// link has the device in force when it returns nil. Whatever it breaks off by, nothing is left but what was begun.
func (l *linking) link() error {
	r := l.run
	steps := []func() error{l.code, l.way, l.note, l.finish}
	if r.policy.AtLogin == policy.AtLoginYes {
		steps = steps[1:]
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// say lets a text stand before the next question.
func (l *linking) say(text string) { l.unread = append(l.unread, "\n"+text) }

func (l *linking) tell(m policy.Message, pairs ...string) { l.say(l.text(m, pairs...)) }

func (l *linking) text(m policy.Message, pairs ...string) string {
	return l.run.policy.Text(m, append(pairs, "HOST", l.run.host.Name, "USER", l.run.hello.Name)...)
}

// question is a question with what stands before it. Texts that a configuration has made too long for that come before it as they can.
func (l *linking) question(m policy.Message, pairs ...string) string {
	prompt, before := l.text(m, pairs...), l.unread
	l.unread = nil
	if whole := strings.Join(append(before, prompt), "\n"); len(whole) <= wire.MaxText {
		return whole
	}
	for _, text := range before {
		if l.run.conv.Info(text, false) != nil {
			break // the question meets it too
		}
	}
	return prompt
}

// ask puts a question, unless the time is over; "q" stops.
func (l *linking) ask(m policy.Message, echo bool, pairs ...string) (string, error) {
	r := l.run
	if end := r.host.End; !end.IsZero() && !r.host.Now().Before(end) {
		return "", errTime
	}
	typed, reason, err := r.conv.Prompt(l.question(m, pairs...), echo)
	defer clear(typed)
	if err = noAnswer(reason, err); err != nil {
		return "", l.unanswered(err)
	}
	l.answered = true
	answer := strings.TrimSpace(string(typed))
	if strings.EqualFold(answer, "q") {
		return "", errStopped
	}
	return answer, nil
}

// unanswered is what it means that a question has no answer. Of the services that we know sshd alone can be one that cannot ask, by its "password"
// method; at the others somebody has ended the conversation.
func (l *linking) unanswered(err error) error {
	service := l.run.hello.Service
	switch {
	case errors.Is(err, wire.ErrLate):
		return errTime
	case l.answered || !errors.Is(err, errNoAnswer) || service != sshService && slices.Contains(policy.BuiltinEnroll(), service):
		return err
	}
	return errCannotAsk
}

// filled is ask until something is typed: an empty line is no wrong code, and costs no try.
func (l *linking) filled(m policy.Message, echo bool) (string, error) {
	for range emptyTries {
		answer, err := l.ask(m, echo)
		if err != nil || answer != "" {
			return answer, err
		}
	}
	return "", errTries
}

// code asks for the enrolment code.
func (l *linking) code() error {
	l.tell(policy.MsgEnrollBegin)
	for range codeTries {
		answer, err := l.filled(policy.MsgEnrollCodePrompt, false)
		if errors.Is(err, errIsPassword) { // typed once more: a wrong code like any other
			l.tell(policy.MsgEnrollCodeWrong)
			continue
		}
		if err != nil {
			return err
		}
		if err = l.enrolment.CheckCode(l.run.whoEnrols(), answer); !errors.Is(err, ErrCode) {
			l.given = answer
			return err
		}
		l.tell(policy.MsgEnrollCodeWrong)
	}
	return errors.Join(errTries, ErrCode)
}

// byApp links an app.
func (l *linking) byApp() error {
	if err := l.ready(); err != nil {
		return err
	}
	if err := l.begin(string(factor.TOTP)); err != nil {
		return err
	}
	return l.confirm()
}

// ready waits until there is an app.
func (l *linking) ready() error {
	l.tell(l.holder.text)
	_, err := l.ask(policy.MsgEnrollReadyPrompt, true)
	return err
}

func (l *linking) begin(method string) (err error) {
	wish := Wish{Device: l.holder.device, Method: method, Code: l.given, From: state.SourceKey(l.run.source)}
	if method == device.SMS {
		wish.Phone = l.number.number
	}
	l.draft, err = l.enrolment.Begin(l.run.whoEnrols(), wish)
	return err
}

// confirm shows the secret until the app gives a right code for it.
func (l *linking) confirm() error {
	l.show(policy.MsgEnrollShow, l.draft.Shown().Picture)
	wrong := 0
	for range appRounds {
		answer, err := l.filled(policy.MsgEnrollAppPrompt, true)
		switch {
		case err != nil:
			return err
		case strings.EqualFold(answer, "t"):
			l.show(policy.MsgEnrollText, "")
		case l.otherPicture(answer) != "":
			l.show(policy.MsgEnrollShow, l.otherPicture(answer))
		case l.draft.Confirm(answer, l.run.policy.Discrepancy):
			return nil
		default:
			if wrong++; wrong >= appTries {
				return errTries
			}
			l.tellWrong(answer)
		}
	}
	return errTries
}

// otherPicture is the picture that was asked for in place of the one that is shown first; "": none was. On a light screen that is a negative,
// which half of the readers cannot read, and a login cannot know the screen. In # signs a negative of it cannot be read either way.
func (l *linking) otherPicture(answer string) string {
	switch {
	case strings.EqualFold(answer, "i"):
		return l.draft.Shown().Inverse
	case strings.EqualFold(answer, "w"):
		return l.draft.Shown().WidePicture
	}
	return ""
}

// show says how the secret comes into the app. The picture is last, so that a screen on which not all has room shows it.
func (l *linking) show(m policy.Message, picture string) {
	shown := l.draft.Shown()
	if len(picture) > maxPicture {
		m, picture = policy.MsgEnrollText, ""
	}
	lines := strings.Split(strings.TrimSuffix(picture, "\n"), "\n")
	l.tell(m, "KEY", factor.GroupSecret(factor.EncodeSecret(shown.Device.Secret)), "ADDRESS", shown.Address,
		"WIDTH", strconv.Itoa(utf8.RuneCountInString(lines[0])), "LINES", strconv.Itoa(len(lines)+linesBelow))
	if picture != "" {
		l.say(strings.TrimSuffix(picture, "\n"))
	}
}

// linesBelow is what the picture needs besides its own lines: the empty one before it and the question.
const linesBelow = 2

// tellWrong says by how much the clock of the device is wrong, if that is why its code is. Whoever is told is just being shown the secret.
func (l *linking) tellWrong(answer string) {
	typed := factor.ParseAnswer(answer)
	off, found := device.Params(l.draft.Shown().Device).Offset(typed.Text, l.run.host.Now())
	if !found || typed.Kind != factor.Digits {
		off = 0
	}
	l.tell(wrongClock(off), "SECONDS", strconv.Itoa(int(off.Abs()/time.Second)), "MINUTES", strconv.Itoa(int(off.Abs().Round(time.Minute)/time.Minute)))
}

// wrongClock is what is said of a wrong code and a clock that is off by so much.
func wrongClock(off time.Duration) policy.Message {
	switch {
	case off >= clockFarOff:
		return policy.MsgEnrollFastLong
	case off > clockOff:
		return policy.MsgEnrollFast
	case off <= -clockFarOff:
		return policy.MsgEnrollSlowLong
	case off < -clockOff:
		return policy.MsgEnrollSlow
	}
	return policy.MsgEnrollWrong
}

// note shows the recovery codes, two in a line.
func (l *linking) note() error {
	codes := l.draft.Shown().Recovery
	if len(codes) == 0 {
		return nil
	}
	var lines []string
	for two := range slices.Chunk(codes, 2) {
		lines = append(lines, "  "+strings.Join(two, "    "))
	}
	text := policy.MsgEnrollRecovery
	if device.IsOutOfBand(l.draft.Shown().Device.Method) {
		text = policy.MsgEnrollRecoveryPhone
	}
	l.tell(text)
	l.say(strings.Join(lines, "\n"))
	_, err := l.ask(policy.MsgEnrollNotePrompt, true)
	return err
}

// finish puts the device in force, when it is in the audit log that this is to be.
//
// Attack: fill the disk that the log is on, and link a phone of which nobody reads.
func (l *linking) finish() error {
	r := l.run
	reason := "the first code of the device was right"
	switch l.draft.Shown().Device.Method {
	case device.SMS:
		reason = "the code that was sent to the phone was right"
	case device.Push:
		reason = "a push was allowed on the phone"
	}
	rec := l.ofDevice(r.record(actionConfirmed, audit.Success, reason))
	if r.append(rec); r.unwritten != nil {
		return r.unwritten
	}
	return l.draft.Finish()
}

// ofDevice adds to a record which device it is about.
func (l *linking) ofDevice(rec audit.Record) audit.Record {
	d := l.draft.Shown().Device
	if device.IsOutOfBand(d.Method) {
		return l.run.ofMessage(rec, l.message(), Report{})
	}
	rec.Device, rec.Method = d.Name, d.Method
	return rec
}

// leaveSuccess leaves for the session phase that a code was given here.
func (l *linking) leaveSuccess() error {
	r, d := l.run, l.draft.Shown().Device
	states, err := r.host.State(r.policy)
	if err != nil {
		return err
	}
	return states.Update(r.hello.Name, func(tx *state.Tx) error {
		r.leaveSuccess(tx.State, device.Used{Method: d.Method, Device: d.Name, Left: -1}, r.host.Now())
		return nil
	})
}
