package pamhook

import (
	"errors"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"twokey/pamhook/wire"
	"twokey/policy"
	"twokey/state"
)

// notices tells somebody whose session opens what he should know. sshd shows it on interactive shells only, so that it does not disturb
// sftp and scp (measured). What cannot be found out is not told; no session depends on it.
func (r *run) notices(s subject) {
	if !s.known || s.problem != nil || r.way == policy.NotALogin || r.hello.Flags&wire.FlagSilent != 0 || r.switchedOff() {
		return
	}
	for _, text := range slices.Concat(r.ofLinking(), r.ofNoDevice(s), r.ofEntries(s), r.ofDevices()) {
		if r.conv.Info(text, false) != nil {
			return // whatever broke, the verdict will meet it too
		}
	}
}

// ofLinking tells who has just linked a device that he has, where he does not know yet.
func (r *run) ofLinking() []string {
	if r.linkedNow == "" || !r.toldInSession() {
		return nil
	}
	return []string{r.policy.Text(doneWith(r.linkedNow), "HOST", r.host.Name, "USER", r.hello.Name)}
}

// ofNoDevice reminds who has no device until he has one.
func (r *run) ofNoDevice(s subject) []string {
	switch {
	case !r.outcome.Grace.IsZero():
		return []string{r.policy.GraceText(r.hello.Name, r.outcome.Grace, r.host.Now())}
	case r.policy.Notice && !s.enrolled && r.outcome.Decision == policy.Optional:
		return []string{r.policy.Text(policy.MsgNoticeOptional, "USER", r.hello.Name)}
	}
	return nil
}

// endsSoon is how long before its end a device is told of, as the policy's entries are.
const endsSoon = 72 * time.Hour

// ofEntries tells what of the policy soon ends for the user.
func (r *run) ofEntries(s subject) (texts []string) {
	if !r.policy.HasUntil() {
		return nil
	}
	now := r.host.Now()
	for _, e := range r.policy.Ending(s.facts(r)) {
		m := policy.MsgNoticeExemptEnds
		if strings.HasPrefix(e.Entry, "require") {
			m = policy.MsgNoticeRequireEnds
		}
		last := e.Until.End(now.Location()).Add(-time.Nanosecond)
		texts = append(texts, r.policy.Text(m, "DATE", r.policy.FormatDate(last, now)))
	}
	return texts
}

// ofEnds tells which devices soon end.
func (r *run) ofEnds(st *state.State) (texts []string) {
	now := r.host.Now()
	for _, d := range st.Devices {
		if left := d.Until.Sub(now); !d.Until.IsZero() && left > 0 && left <= endsSoon && st.UID == r.hello.UID {
			last := d.Until.In(now.Location()).Add(-time.Nanosecond)
			texts = append(texts, r.policy.Text(policy.MsgNoticeDeviceEnds, "DEVICE", d.Name, "DATE", r.policy.FormatDate(last, now)))
		}
	}
	return texts
}

// ofDevices tells which devices soon end, that a device was added, and once that few recovery codes are left. For most logins nothing waits, and the lock is not
// taken.
//
// Attack: who has added a device of his own logs in by "ssh HOST true", where sshd shows nothing, so that the owner is never told. Of sshd
// nobody learns whether it has shown something, so there a new device is told in three sessions; elsewhere in one. The session of the very login
// that has linked it is none of them.
func (r *run) ofDevices() (texts []string) {
	states, err := r.host.State(r.policy)
	if err != nil {
		return nil
	}
	waiting, err := states.Read(r.hello.Name)
	if err != nil {
		return nil
	}
	ends := r.ofEnds(waiting)
	if r.linkedNow != "" || len(r.take(waiting)) == 0 {
		return ends
	}
	err = states.Update(r.hello.Name, func(tx *state.Tx) error {
		texts = r.take(tx.State)
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.host.Warn("a notice for " + r.hello.Name + " waits on: " + err.Error())
		return ends
	}
	return append(ends, texts...)
}

// take takes the notices out of the state, as texts. Whose state it is has to be sure: a user id that was given to another account must
// not learn of the devices of the one before.
func (r *run) take(st *state.State) (texts []string) {
	if st.UID != r.hello.UID {
		return nil
	}
	tell := st.TakeNotices
	if r.hello.Service == sshService {
		tell = st.ShowNotices
	}
	for _, n := range tell() {
		device := st.Device(n.Device)
		if device == nil {
			continue
		}
		added := r.policy.FormatDate(device.Created.In(r.host.Now().Location()), r.host.Now())
		texts = append(texts, r.policy.Text(policy.MsgNoticeDevice, "DEVICE", device.Name, "DATE", added, "BY", n.By))
	}
	if left, due := st.TakeLowRecovery(); due {
		texts = append(texts, r.policy.Text(policy.MsgNoticeRecovery.For(left), "USER", r.hello.Name, "LEFT", strconv.Itoa(left)))
	}
	return texts
}
