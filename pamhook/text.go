package pamhook

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"twokey/device"
	"twokey/factor"
	"twokey/policy"
	"twokey/state"
)

// A code by SMS
//
//   - MUST be good once, for the connection and the source for which it was sent, for valid_for, and for three tries, each of which is written
//     down before it is looked at (state.UseText).
//   - MUST end the one before it.
//   - MUST NOT be sent above the limits of the user and of the host, which are charged before it is.
//   - MUST NOT be in any record, nor the number to which it was sent, but for the last three digits.

// prepareText writes down a code that is about to be sent. Who is asked without having chosen gets no second one while the first is good.
func (r *run) prepareText(l ledger, sent *state.Messages, m *message, given reply, now time.Time) error {
	code := state.TextCode{ID: newID(), Connection: connectionOf(r.hello, r.host.Application), Source: r.source, Until: now.Add(r.policy.SMS.ValidFor)}
	source := state.SourceKey(r.source)
	if open := sent.Code; given.unasked && open != nil && open.Connection == code.Connection && open.Source == source {
		return nil
	}
	var limit *state.LimitError
	code.Known = l.Known(r.source, now)
	if err := sent.MayText(now, code.Known); errors.As(err, &limit) {
		minutes := int(math.Ceil(limit.Next.Sub(now).Minutes()))
		m.line, m.reason = r.policy.Text(policy.MsgTextLimit.For(minutes), "MINUTES", strconv.Itoa(minutes)), err
		m.quiet = !code.Known && sent.Code != nil && sent.Code.Known
		return nil
	} else if err != nil {
		return err
	}
	if err := r.takeText(now); errors.Is(err, state.ErrHostLimit) {
		m.line, m.reason, m.quiet = r.policy.Text(policy.MsgTextHostLimit), err, !code.Known
		return nil
	} else if err != nil {
		return err
	}
	m.code = factor.NewChallengeCode(r.policy.SMS.Digits)
	code.Hash = factor.HashChallenge(m.secret, code.ID, code.Connection, source, m.code)
	sent.AddText(code, now)
	return l.phones.SaveMessages(sent)
}

// takeText takes one text from what the host may send.
//
// Attack: with the passwords of many users, spend the owner's money.
func (r *run) takeText(now time.Time) error {
	states, err := r.host.State(r.policy)
	if err != nil {
		return err
	}
	return states.TakeText(now, r.policy.SMS.PerHour)
}

// sendText sends a code and asks for it.
func (r *run) sendText(m *message) Verdict {
	if m.code != "" {
		if err := r.deliverText(m); errors.Is(err, errGone) {
			return r.refuse(err)
		} else if err != nil {
			return r.another(m, r.policy.Text(policy.MsgNotSent), err)
		}
	}
	return r.goOn(r.ask(r.textPrompt(m)))
}

// deliverText returns nil when the provider has the text.
func (r *run) deliverText(m *message) error {
	delivery, report, err := r.start(r.policy.SMS.Timeout, func(by Messenger) (Delivery, error) {
		return by.Text(TextMessage{User: r.hello.Name, Number: m.number, Code: m.code})
	})
	r.end(delivery)
	m.code = ""
	if err == nil && report.State != ReportSent {
		report.State = ReportFailed
	}
	r.noteSent(m, report, err)
	if err == nil && report.State == ReportFailed {
		return errors.New("the code was not sent: " + report.Problem)
	}
	return err
}

// textPrompt says where the code was sent. The number is shown to nobody who has not had the message sent, and not all of it.
func (r *run) textPrompt(m *message) string {
	words := slices.DeleteFunc(r.stillOffered(), func(word string) bool { return methodOf(word) == device.SMS })
	if len(words) == 0 {
		return r.policy.Text(policy.MsgTextPrompt, "NUMBER", maskedNumber(m.number))
	}
	return r.policy.Text(policy.MsgTextOrPrompt, "NUMBER", maskedNumber(m.number), "WORDS", policy.QuotedWords(words))
}

// maskedNumber is a number as it is shown to its user: +44 ••• 123.
func maskedNumber(number string) string {
	return countryCode(number) + " ••• " + lastDigits(number)
}

// lastDigits are the last three.
func lastDigits(number string) string { return number[max(0, len(number)-3):] }

// twoDigits are the country codes of two digits: ITU-T E.164, list of assigned country codes (2016). Those of one digit are 1 and 7; all others
// have three.
const twoDigits = "20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 81 82 84 86 90 91 92 93 94 95 98"

// countryCode is what a number in E.164 begins with, and its plus sign.
func countryCode(number string) string {
	length := 4
	switch {
	case len(number) < 5:
		return ""
	case number[1] == '1' || number[1] == '7':
		length = 2
	case slices.Contains(strings.Fields(twoDigits), number[1:3]):
		length = 3
	}
	return number[:length]
}

// text looks whether the answer is the code that was sent for this login. Whether one was sent is looked at for everybody, and the try is
// written down before the code is compared. The error is state.ErrNoText when there was none to be compared with.
func (t *trial) text() (device.Used, error) {
	if !t.texts {
		return device.Used{}, state.ErrNoText
	}
	secret := t.set.SecretOf(device.SMS)
	err := t.ledger.phones.UseText(t.now, t.attempt.Connection, t.attempt.Source, factor.PhoneMark(secret, t.number),
		func(c state.TextCode) bool {
			return secret != nil && factor.MatchChallenge(secret, c.ID, c.Connection, c.Source, t.answer.Text, c.Hash)
		})
	switch {
	case state.IsDamaged(err): // which no code of an app needs
		t.warn("no code by SMS is good: " + err.Error())
		return device.Used{}, state.ErrNoText
	case err != nil:
		return device.Used{}, err
	}
	return t.set.UseOutOfBand(device.SMS, t.now, t.attempt.Source)
}
