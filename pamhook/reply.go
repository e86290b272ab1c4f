package pamhook

import (
	"errors"
	"fmt"

	"twokey/device"
	"twokey/factor"
	"twokey/pamhook/wire"
	"twokey/policy"
)

// The reasons for which there is no answer.
var (
	errNoAnswer   = errors.New("no answer")
	errGone       = errors.New("the client has gone")
	errIsPassword = errors.New("the application answered with the password")
	errTooLong    = errors.New("answer too long")
	errOldModule  = errors.New("the application has an old pam_twokey.so in memory, which cannot divide password and code: restart it")
)

// reply is what a person gave.
type reply struct {
	answer factor.Answer // to a question of ours
	word   string        // the choice that was typed, of those that the question offers; "": none
	field  []byte        // password and code, where they are typed into one field; to be wiped
	err    error         // why there is nothing

	first   bool // it is to the first question
	unasked bool // nothing was asked: the user has nothing but his phone
}

// prompt puts the first question, the same for everybody, and understands the answer.
func (r *run) prompt() reply {
	given := r.ask(r.question())
	given.first = true
	return given
}

// ask puts a question.
func (r *run) ask(question string) reply {
	typed, reason, err := r.conv.Prompt(question, false)
	r.answered = r.host.Now()
	defer clear(typed)
	if err = noAnswer(reason, err); err != nil {
		return reply{err: err}
	}
	answer := factor.ParseAnswer(string(typed))
	r.long = answer.Kind == factor.Digits && len(answer.Text) >= 2*factor.MinDigits
	r.passcode = answer.Kind == factor.Digits && r.takesPasscodes()
	return reply{answer: answer, word: wordIn(r.offered(), typed)}
}

// field gets what was typed into the one field of the service, from the person or from the module that has asked before us.
func (r *run) field() reply {
	typed, reason, err := r.conv.Authtok(r.policy.Text(policy.MsgPasswordAndCode))
	r.answered = r.host.Now()
	if errors.Is(err, wire.ErrVersion) {
		return reply{err: errOldModule}
	}
	if err = noAnswer(reason, err); err != nil {
		clear(typed)
		return reply{err: err}
	}
	return reply{field: typed}
}

// noAnswer says why there is no answer; nil: there is one.
func noAnswer(reason wire.NoAnswer, err error) error {
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", errNoAnswer, err)
	case reason == 0:
		return nil
	case reason == wire.AnswerIsPassword, reason == wire.AnswerIsJunk:
		return errIsPassword
	case reason == wire.ClientGone:
		return errGone
	case reason == wire.AnswerTooLong:
		return errTooLong
	}
	return errNoAnswer
}

// understood is the answer for a user with these devices, and how many bytes of the field it takes. A field that can be divided in two
// ways, or in none, has no answer in it.
func (p reply) understood(set *device.Set) (answer factor.Answer, cut int) {
	if p.field == nil {
		return p.answer, 0
	}
	cut, answer, ok := factor.SplitAppended(p.field, set.Lengths())
	if !ok {
		return factor.Answer{}, 0
	}
	return answer, cut
}
