package pamhook

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"twokey/device"
	"twokey/internal/proc"
	"twokey/policy"
	"twokey/secrets"
	"twokey/state"
)

// Where sshd wants two methods that both ask PAM (AuthenticationMethods password,keyboard-interactive), one login is two runs of the stack.
// Whoever has allowed a push in the first, or typed the code of a text, is let through in the second: two requests for one login teach people
// to allow what they have not asked for. It
//
//   - MUST be the same connection, from the same address and port, of the same process of the server, within two minutes;
//   - MUST be behind a right password once more, and by a method that still counts and that the user still has;
//   - MUST let through once.

// sshService is what sshd calls itself to PAM.
const sshService = "sshd"

// loginIDs name the login of this run: by the process of the server that runs it or has started it, since sshd asks for a password in one
// and runs keyboard-interactive in a child of it. The first is what a success is left under. Where the client's address and port are not
// known there are none: a server that serves everybody in one process would let in by another's answer. Nor is one login two runs anywhere but
// in sshd.
func (r *run) loginIDs() []state.ID {
	if r.hello.Client == "" || r.hello.Service != sshService {
		return nil
	}
	name := func(process proc.ID) (id state.ID) {
		sum := sha256.Sum256(fmt.Appendf(nil, "login %q %q of process %d %d", r.hello.Service, r.hello.Client, process.PID, process.Start))
		copy(id[:], sum[:])
		return id
	}
	if r.byServer {
		return []state.ID{name(r.host.Application), name(r.host.Parent)}
	}
	return []state.ID{name(r.host.Parent), name(r.host.Application)}
}

// leaveAnswered leaves for another run of this login that it was answered on the phone.
func (r *run) leaveAnswered(sent *state.Messages, method string, now time.Time) {
	if ids := r.loginIDs(); len(ids) > 0 && !r.host.Own && r.hello.Service != policy.SelfService {
		sent.Answered = &state.Answered{Connection: ids[0], Method: method, Time: now}
	}
}

// keepAnswered is leaveAnswered for a text, whose code is gone from what was sent.
func (r *run) keepAnswered(l ledger, method string, now time.Time) error {
	sent, err := l.phones.Messages(now)
	if err != nil {
		return err
	}
	r.leaveAnswered(sent, method, now)
	return l.phones.SaveMessages(sent)
}

// isSecondRun reports whether another run of this login was answered on the phone, of late: what is older is not in sent any more.
func (r *run) isSecondRun(sent *state.Messages) bool {
	return sent.Answered != nil && slices.Contains(r.loginIDs(), sent.Answered.Connection)
}

// secondRun lets the second run of a login through, and takes away what the first has left.
func (r *run) secondRun() (v Verdict, in bool) {
	var used device.Used
	err := r.withUser(func(tx *state.Tx, record *secrets.Record) error {
		set, now, err := r.join(tx.State, tx.Flush, record)
		if err != nil {
			return err
		}
		sent, err := tx.Messages(now)
		switch {
		case err != nil:
			return err
		case tx.MustEnroll:
			return errMustEnroll
		case !r.isSecondRun(sent):
			return errNotBefore
		}
		method := sent.Answered.Method
		sent.Answered = nil
		if err := tx.SaveMessages(sent); err != nil {
			return err
		}
		if used, err = set.UseOutOfBand(method, now, r.source); err != nil {
			return err
		}
		r.leaveSuccess(tx.State, used, now)
		return nil
	})
	if err != nil {
		return Verdict{}, false
	}
	r.how = "answered on the phone in another run of this login"
	return r.letIn(err, r.recordOf(used)), true
}
