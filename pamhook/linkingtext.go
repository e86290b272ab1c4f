package pamhook

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"twokey/device"
	"twokey/policy"
	"twokey/state"
)

// A telephone number, at an enrolment
//
//   - MUST be shown back, with its country, and agreed to before anything is sent to it.
//   - MUST be linked only when a code that was sent to it has come back, in this conversation.
//   - MUST NOT be sent more than the limits of a login allow: each text is charged first.
//   - MUST NOT be in any record, but for its last three digits.

// numberTries is how often a number may be typed.
const numberTries = 6

// place is a telephone number and the country that it is of.
type place struct {
	number  string // E.164; "": none yet
	country string
}

// errAgain is no refusal: the person wants another try.
var errAgain = errors.New("once more")

// byText links a telephone number.
func (l *linking) byText() error {
	l.number = place{}
	l.tell(l.holder.text)
	for range numberTries {
		if err := l.askNumber(); err != nil {
			return err
		}
		if err := l.begin(device.SMS); err != nil {
			return err
		}
		if err := l.sendCode(); err != nil {
			return err
		}
		if err := l.typedCode(); !errors.Is(err, errAgain) {
			return err
		}
	}
	return errTries
}

// askNumber asks for a number until the person agrees to what was understood.
func (l *linking) askNumber() error {
	for range numberTries {
		prompt := policy.MsgEnrollNumberPrompt
		if l.number.number != "" {
			prompt = policy.MsgEnrollCheckPrompt
			l.tell(policy.MsgEnrollNumberCheck, "NUMBER", l.number.number, "COUNTRY", l.number.country)
		}
		answer, err := l.ask(prompt, true)
		switch {
		case err != nil:
			return err
		case answer == "" && l.number.number != "":
			return nil
		case answer == "":
			continue
		}
		if err = l.understand(answer); errors.Is(err, ErrNumber) {
			l.number = place{}
			l.tell(policy.MsgEnrollNumberWrong)
		} else if err != nil {
			return l.notSent(err)
		}
	}
	return errTries
}

// understand finds out which number was typed, and its country.
func (l *linking) understand(typed string) (err error) {
	number, ok := international(typed)
	if !ok {
		return ErrNumber
	}
	l.number.number = number
	l.number.country, err = l.enrolment.Country(number)
	return err
}

// international is a number in the form of E.164 (ITU-T, section 6), typed with or without what people put between its digits.
func international(typed string) (string, bool) {
	number := strings.NewReplacer(" ", "", "-", "", ".", "", "/", "").Replace(typed)
	digits, plus := strings.CutPrefix(number, "+")
	bad := strings.ContainsFunc(digits, func(r rune) bool { return r < '0' || r > '9' })
	return number, plus && !bad && len(digits) >= 7 && len(digits) <= 15 && digits[0] != '0'
}

// message is what is sent to the phone of the draft.
func (l *linking) message() *message {
	d := l.draft.Shown().Device
	m := &message{method: d.Method, device: d.Name, secret: d.Secret}
	if d.Method == device.SMS {
		m.number = l.number.number
	}
	return m
}

// sendCode sends a code to the number.
func (l *linking) sendCode() error {
	r, m := l.run, l.message()
	now := r.host.Now()
	if err := l.enrolment.TakeText(r.whoEnrols(), r.policy.SMS.PerHour); err != nil {
		return l.noText(m, err)
	}
	code, err := l.draft.Challenge(r.policy.SMS.Digits, now.Add(r.policy.SMS.ValidFor))
	if err != nil {
		return err
	}
	m.code = code
	switch err = r.deliverText(m); {
	case errors.Is(err, errGone):
		return err
	case err != nil:
		l.tell(policy.MsgNotSent)
		return errChooseAgain
	}
	l.tell(policy.MsgEnrollTextSent, "NUMBER", maskedNumber(m.number))
	return nil
}

// noText says why no text may be sent.
func (l *linking) noText(m *message, err error) error {
	r := l.run
	var limit *state.LimitError
	switch {
	case errors.As(err, &limit):
		minutes := int(math.Ceil(limit.Next.Sub(r.host.Now()).Minutes()))
		m.line = l.text(policy.MsgTextLimit.For(minutes), "MINUTES", strconv.Itoa(minutes))
	case errors.Is(err, state.ErrHostLimit):
		m.line = l.text(policy.MsgTextHostLimit)
	default:
		return err
	}
	r.noteSent(m, Report{}, err)
	l.say(m.line)
	return errChooseAgain
}

// notSent goes back to the choice when something of ours has failed.
func (l *linking) notSent(err error) error {
	l.run.noteSent(&message{method: device.SMS, device: l.holder.device, number: l.number.number}, Report{}, err)
	l.tell(policy.MsgNotSent)
	return errChooseAgain
}

// typedCode asks for the code that was sent; errAgain: the person wants another, or has another number.
func (l *linking) typedCode() error {
	for left := state.TextTries; left > 0; {
		answer, err := l.filled(policy.MsgEnrollTextPrompt, true)
		switch {
		case err != nil:
			return err
		case strings.EqualFold(answer, "n"):
			return errAgain
		case l.draft.Confirm(answer, 0):
			return nil
		}
		left--
		l.tell(policy.MsgEnrollTextWrong)
	}
	return errTries
}
