package pamhook

import (
	"encoding/hex"
	"fmt"
	"strings"

	"twokey/audit"
	"twokey/device"
	"twokey/pamhook/wire"
)

// What the audit log calls the events of a login; a login itself is audit.ActionLogin.
const (
	actionAccount  = "account-checked"
	actionPolicy   = "policy-changed"
	actionRestored = "state-restored"
	actionClock    = "clock-set-back"
)

// problemKey is the field of every record of a login under a policy with a problem. It is not a record of its own: those of a flood
// of refused logins are summed, and these would not be.
const problemKey = "twokey.policy_problem"

// action is what the audit log calls the phase.
func (r *run) action() string {
	switch r.hello.Phase {
	case wire.PhaseAccount:
		return actionAccount
	case wire.PhaseOpenSession:
		return audit.ActionSession
	}
	return audit.ActionLogin
}

// record is what all records of this login have in common.
func (r *run) record(action string, outcome audit.Outcome, reason string) audit.Record {
	rec := audit.Record{
		Time: r.host.Now(), Action: action, Outcome: outcome, Reason: strings.ReplaceAll(reason, "\n", "; "), Source: r.hello.RHost,
		Service: r.hello.Service, PID: uint64(r.host.Application.PID), TTY: r.hello.TTY,
	}
	if r.policy.Problem != nil {
		rec.Details = []audit.Detail{{Key: problemKey, Value: r.problem()}}
	}
	if rec.Source == "" {
		rec.Source = r.source
	}
	if r.hello.Name == "" {
		rec.UnknownUser = r.hello.User
		return rec
	}
	rec.User, rec.UserID = r.hello.Name, fmt.Sprint(r.hello.UID)
	return rec
}

// problem says what an administrator has to mend in the policy.
func (r *run) problem() string {
	if r.policy.LastGood {
		return "the last good policy is in force: " + r.policy.Problem.Error()
	}
	return r.policy.Problem.Error()
}

// append appends a record. Nobody is let in any more when one of this run could not be written, which is said elsewhere as loudly
// as we can.
func (r *run) append(rec audit.Record) {
	if err := r.host.Append(r.policy, rec); err != nil {
		r.unwritten = fmt.Errorf("the audit log cannot be written (%s: %s): %w", rec.Action, rec.Reason, err)
		r.host.Warn(r.unwritten.Error())
	}
}

// refuse denies, with the reason for the log and one text for the person, whatever the reason was. While the policy is only
// observed nobody is denied: then the rest of the stack decides.
func (r *run) refuse(reason error) Verdict {
	if r.policy.Observe {
		r.append(r.record(audit.ActionObserved, audit.Unknown, "would have denied: "+reason.Error()))
		return ignore()
	}
	return r.deny(reason)
}

// deny denies, also while the policy is only observed.
func (r *run) deny(reason error) Verdict {
	r.append(r.record(audit.ActionLogin, audit.Failure, reason.Error()))
	// The verdict stands whether or not the person could be told.
	if err := r.conv.Info(fmt.Sprintf(refusal, r.policy.Contact), true); err != nil {
		return Verdict{}
	}
	return Verdict{}
}

// refusal is what everybody hears who is not let in.
const refusal = "Login failed. Please check your login details and try again. Otherwise contact %s."

func (r *run) recordSuccess(u device.Used) {
	rec := r.record(audit.ActionLogin, audit.Success, "right code")
	rec.Method, rec.Device = u.Method, u.Device
	if u.Left >= 0 {
		rec.Reason = fmt.Sprintf("recovery code; %d left", u.Left)
	}
	r.append(rec)
}

// refuseSession denies a session, unless the policy is only observed.
func (r *run) refuseSession(reason error) Verdict {
	if r.policy.Observe {
		r.append(r.record(audit.ActionSession, audit.Unknown, "would have denied: "+reason.Error()))
		return ignore()
	}
	r.append(r.record(audit.ActionSession, audit.Failure, reason.Error()))
	return Verdict{}
}

// crashed says as well as it can that the run ends by a panic. What the panic says may be secret.
func (r *run) crashed() {
	r.host.Warn("a login is denied: the helper crashed")
	if r.policy != nil {
		r.append(r.record(r.action(), audit.Failure, "the helper crashed"))
	}
}

// notePolicyChange records a change that this login is the first to see; who made it is not known here.
func (r *run) notePolicyChange() {
	rec := r.record(actionPolicy, audit.Success, "the configuration file was changed before this login")
	rec.Changes = []audit.Change{{Field: "sha256", Old: hex.EncodeToString(r.policy.Before[:]), New: hex.EncodeToString(r.policy.Digest[:])}}
	r.append(rec)
}
