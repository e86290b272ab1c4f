package pamhook

import (
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"twokey/audit"
	"twokey/device"
	"twokey/pamhook/wire"
	"twokey/policy"
	"twokey/state"
)

// What the audit log calls the events of a login; a login itself is audit.ActionLogin.
const (
	actionAccount  = "account-checked"
	actionPolicy   = "policy-changed"
	actionExpired  = "policy-expired"
	actionEnded    = "device-expired"
	actionRestored = "state-restored"
	actionClock    = "clock-set-back"
)

// Fields that only records of logins have. A policy with a problem is in every record made under it and not a record of its own: those
// of a flood of refused logins are summed, and these would not be.
const (
	problemKey = "twokey.policy_problem"
	sshAuthKey = "twokey.ssh_auth" // by which methods the client has proved itself to sshd, comma separated
)

// noFactor is the second factor of a session for which none was given.
const noFactor = "none"

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
		rec.Details = append(rec.Details, audit.Detail{Key: problemKey, Value: r.problem()})
	}
	if len(r.ssh.Methods) > 0 {
		rec.Details = append(rec.Details, audit.Detail{Key: sshAuthKey, Value: strings.Join(r.ssh.Methods, ",")})
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
// as we can; unless that is forgiven him.
func (r *run) append(rec audit.Record) {
	err := r.host.Append(r.policy, rec)
	if err == nil {
		return
	}
	err = fmt.Errorf("the audit log cannot be written (%s: %s): %w", rec.Action, rec.Reason, err)
	r.host.Warn(err.Error())
	if isWriteFault(err) && r.mayForgive() {
		r.host.Warn("nobody is refused for that at the console: on_fault is allow-console")
		return
	}
	r.unwritten = err
}

// recordOf records a login with a right code.
func (r *run) recordOf(u device.Used) audit.Record {
	reason := "right code"
	switch {
	case u.Method == device.Bypass:
		reason = "bypass code"
	case r.how != "":
		reason = r.how
	case u.Method == device.SMS:
		reason = "right code of a text message"
	case u.Left >= 0:
		reason = fmt.Sprintf("recovery code; %d left", u.Left)
	}
	if r.forgiven != nil {
		reason += "; " + r.forgiven.Error()
	}
	rec := r.record(audit.ActionLogin, audit.Success, reason)
	rec.Method, rec.Device = u.Method, u.Device
	return rec
}

// sessionWith records a session after a success.
func (r *run) sessionWith(s state.Success) audit.Record {
	rec := r.record(audit.ActionSession, audit.Success, "second factor given")
	if s.Method == byMemory {
		rec.Reason = "second factor given before"
	}
	rec.SecondFactor, rec.Device = s.Method, s.Device
	return rec
}

// sessionWithout records a session for which no second factor was given, and why that was not needed.
func (r *run) sessionWithout(s subject) audit.Record {
	reason := r.whyWithout()
	if s.problem != nil {
		reason += "; " + s.problem.Error()
	}
	if r.forgiven != nil {
		reason += "; " + r.forgiven.Error()
	}
	rec := r.record(audit.ActionSession, audit.Success, reason)
	rec.SecondFactor = noFactor
	return rec
}

// whyWithout begins with one of a few words that others look for: cmd/twokey list, and people.
func (r *run) whyWithout() string {
	o := r.outcome
	why := fmt.Sprintf("%s (%s)", o.Reason, o.Rule)
	switch {
	case r.switchedOff():
		return "switched off"
	case o.Decision == policy.Exempt:
		return fmt.Sprintf("exempt by %s; %s", o.Rule, o.Reason)
	case !o.Grace.IsZero():
		last := o.Grace.In(r.host.Now().Location()).Add(-time.Nanosecond)
		return fmt.Sprintf("grace until %s; %s", last.Format(time.DateOnly), why)
	case o.Action == policy.Ignore:
		return "optional; " + why
	case r.ssh.KeyAlone():
		why = "ssh key only; " + why
	default:
		why = "not asked; " + why
	}
	if o.Observe {
		return "observed; " + why
	}
	return why
}

// crashed says as well as it can that the run ends by a panic. What the panic says may be secret.
func (r *run) crashed() {
	r.host.Warn("a login is denied: the helper crashed")
	if r.policy != nil {
		r.append(r.record(r.action(), audit.Failure, "the helper crashed"))
	}
}

// noteExpired records entries of the policy whose last day has passed, which this login is the first to see.
func (r *run) noteExpired() {
	for _, e := range r.policy.Expired {
		r.append(r.record(actionExpired, audit.Success, fmt.Sprintf("%s %s counted until %s", e.Entry, e.Who, e.Until)))
	}
}

// noteEnded records devices that have expired since the user's last success, of which this login is the first.
func (r *run) noteEnded() {
	for _, d := range r.ended {
		rec := r.record(actionEnded, audit.Success, fmt.Sprintf("device %q counted until %s", d.Name, d.Until.UTC().Format("2006-01-02 15:04 UTC")))
		rec.Device = d.Name
		r.append(rec)
	}
}

// notePolicyChange records a change that this login is the first to see; who made it is not known here.
func (r *run) notePolicyChange() {
	rec := r.record(actionPolicy, audit.Success, "the configuration file was changed before this login")
	rec.Changes = []audit.Change{{Field: "sha256", Old: hex.EncodeToString(r.policy.Before[:]), New: hex.EncodeToString(r.policy.Digest[:])}}
	r.append(rec)
}
