package pamhook

import (
	"errors"
	"slices"
	"strings"

	"twokey/device"
	"twokey/factor"
	"twokey/pamhook/wire"
	"twokey/policy"
	"twokey/state"
)

// maxChoices is how often something may be sent in one phase: whoever is asked again and again has been shown every way.
const maxChoices = 6

var (
	// errChosen is no refusal: the person wants something sent, and run.message says what.
	errChosen = errors.New("a message is to be sent")
	// errAskFirst is none either: the user can answer with a code, which was not known before his secrets were opened.
	errAskFirst = errors.New("the user can answer with a code")

	errChoices = errors.New("the user has chosen too often")
)

// offered are the words that the first question offers, the same for everybody who comes by this way: before a decoy line as before the one
// that it stands for. In a program of the user's own nobody has asked for a password, whatever it says.
func (r *run) offered() []string {
	if r.host.Own {
		return nil
	}
	return r.policy.Offered(r.hello.Flags&(wire.FlagAfterPassword|wire.FlagDecoy) != 0)
}

// question is the first one.
func (r *run) question() string { return r.policy.QuestionText(r.offered()) }

// wordIn is the word that was typed, in whatever case and also with the quotation marks of the question; "": none of these.
func wordIn(words []string, typed []byte) string {
	word := strings.ToLower(strings.Trim(string(typed), " \t\r\n'\""))
	if slices.Contains(words, word) {
		return word
	}
	return ""
}

// methodOf is the method of a word.
func methodOf(word string) string {
	if word == policy.WordPhone {
		return device.Push
	}
	return word
}

// chosen is the word of what this user wants sent; "": nothing, or what he does not have, which is a wrong answer like any other.
//
// Attack: type "push" behind a stolen password to learn who has it, by another answer or another time.
func (r *run) chosen(given reply, set *device.Set) string {
	word := given.word
	switch {
	case given.field != nil:
		return ""
	case given.unasked:
		word = r.firstOf(set)
	case given.first && given.answer.Kind == factor.Empty && r.policy.MethodsDefault == policy.DefaultLast:
		word = set.LastUsed()
	}
	if !slices.Contains(r.offered(), word) || !slices.Contains(set.OutOfBand(), methodOf(word)) {
		return ""
	}
	return word
}

// firstOf is the word of the first method, in the order of the policy, that somebody has who has no codes.
func (r *run) firstOf(set *device.Set) string {
	for _, word := range r.offered() {
		if !set.Codes() && slices.Contains(set.OutOfBand(), methodOf(word)) {
			return word
		}
	}
	return ""
}

// first is the first answer. Who can do nothing but be sent something is sent it without a question.
func (r *run) first(onlyPhones bool) reply {
	if !onlyPhones {
		return r.prompt()
	}
	r.answered = r.host.Now()
	return reply{unasked: true}
}

// lookAhead looks without a lock whether it is worth taking it before the question: whether another run of this login was answered on the
// phone, and whether the user has nothing but his phone. What is found is looked at again under the lock. For who cannot get in it is
// done on the decoy, and nothing is found.
func (r *run) lookAhead(action policy.Action) (answered, onlyPhones bool) {
	user := r.hello.Name
	if action != policy.Ask {
		user = state.Decoy(r.hello.User)
	}
	if len(r.offered()) == 0 {
		return false, false
	}
	states, err := r.host.State(r.policy)
	if err != nil {
		return false, false // what looks at the answer says so
	}
	now := r.host.Now()
	st, readErr := states.Read(user)
	sent, sentErr := states.Messages(user, now)
	if readErr != nil || sentErr != nil {
		return false, false
	}
	return r.isSecondRun(sent), r.onlyPhones(st)
}

// onlyPhones reports whether the user has no device that shows codes, and one that he can be reached by.
func (r *run) onlyPhones(st *state.State) (only bool) {
	for _, d := range st.Devices {
		switch {
		case !slices.Contains(r.outcome.Methods, d.Method), !d.Until.IsZero() && !r.host.Now().Before(d.Until):
		case !device.IsOutOfBand(d.Method):
			return false
		default:
			only = only || r.policy.Sends(d.Method)
		}
	}
	return only
}
