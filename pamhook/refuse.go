package pamhook

import (
	"errors"
	"math"
	"strconv"
	"time"

	"twokey/audit"
	"twokey/device"
	"twokey/policy"
	"twokey/state"
)

// observedWords begins the reason of what only an observed policy would have denied; `twokey policy observed` looks for it.
const observedWords = "would have denied: "

// refusalStep is what the time of a refusal is rounded up to. As much is done for everybody who is refused, as far as that can be; but who
// has several devices, or one whose codes take longer to compute, costs milliseconds more, and that would tell that the password was right.
const refusalStep = 100 * time.Millisecond

// pairStep is that when what was typed is as long as two codes in a row of the shortest kind. Of somebody who may get in they wait for
// their turn, of nobody else. Whose device shows eight digits waits as long after one wrong code: how many it shows must not be told.
const pairStep = longestWait + 2*time.Second

// errIncomplete refuses a login of which the module could not tell all.
var errIncomplete = errors.New("an item that PAM has of this login is too long: not everything about it is known")

// incomplete refuses a phase of which not everything is known, whatever the policy says of the rest.
func (r *run) incomplete() Verdict {
	reason := errIncomplete
	if err := r.begin(); err != nil {
		reason = errors.Join(reason, err)
	}
	r.append(r.record(r.action(), audit.Failure, reason.Error()))
	return Verdict{}
}

// refuse denies, with the reason for the log and the same text for everybody, whatever the reason was. While the policy is only
// observed nobody is denied: then the rest of the stack decides.
func (r *run) refuse(reason error) Verdict {
	if r.observed() {
		r.append(r.record(audit.ActionObserved, audit.Unknown, observedWords+reason.Error()))
		return ignore()
	}
	return r.deny(reason)
}

// observed reports whether nobody is turned away here for what the policy says.
//
// Attack: while the policy is observed, take the password for enough where a user's own devices are changed.
func (r *run) observed() bool { return r.policy.Observe && r.hello.Service != policy.SelfService }

// switchedOff reports whether twokey is switched off here.
//
// Attack: with a stolen password add a device while twokey is off for two hours; the device stays.
func (r *run) switchedOff() bool {
	return r.policy.SwitchedOff(r.host.Now()) && r.hello.Service != policy.SelfService
}

// deny denies, also while the policy is only observed.
//
// Attack: learn from our words at a service with one field who has a device: of whom nothing is asked, that module alone refuses.
func (r *run) deny(reason error) Verdict {
	r.append(r.record(audit.ActionLogin, audit.Failure, reason.Error()))
	r.roundUp()
	if r.way == policy.Appended {
		return Verdict{} // the module behind, which looks at the password, has words of its own, and they are the same for who is not asked
	}
	// The verdict stands whether or not the person could be told.
	if err := r.conv.Info(r.words(reason), true); err != nil {
		return Verdict{}
	}
	return Verdict{}
}

// roundUp waits until the time since the answer is a multiple of what refusals are rounded up to.
func (r *run) roundUp() {
	step := refusalStep
	switch {
	case r.long:
		step = pairStep
	case r.passcode:
		step = passcodeStep
	}
	r.host.Sleep(step - r.host.Now().Sub(r.answered)%step)
}

// words are what the person hears. Who has given his password and could enrol at another service learns that. Only who has used a code himself learns that it was used: to anybody else it would tell that what he
// has found out was right.
func (r *run) words(reason error) string {
	if r.elsewhere {
		return r.policy.Text(policy.MsgEnrollElsewhere)
	}
	var told toldError
	if errors.As(reason, &told) {
		return told.text
	}
	var replayed device.ReplayedError
	if !errors.As(reason, &replayed) || replayed.From != state.SourceKey(r.source) {
		return r.policy.Text(policy.MsgRefused)
	}
	seconds := int(math.Ceil(replayed.Next.Seconds()))
	return r.policy.Text(policy.MsgReplayed.For(seconds), "SECONDS", strconv.Itoa(seconds))
}

// refuseSession denies a session, unless the policy is only observed.
func (r *run) refuseSession(reason error) Verdict {
	if r.observed() {
		rec := r.record(audit.ActionSession, audit.Unknown, observedWords+reason.Error())
		rec.SecondFactor = noFactor
		r.append(rec)
		return ignore()
	}
	r.append(r.record(audit.ActionSession, audit.Failure, reason.Error()))
	return Verdict{}
}
