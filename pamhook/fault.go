package pamhook

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"twokey/device"
	"twokey/factor"
	"twokey/policy"
	"twokey/state"
)

// When a disk has failed or is full, nothing can be used up and nothing recorded, and everybody is denied: also who comes to mend it.
// With "on_fault: allow-console" who sits at the machine itself goes on. What is forgiven him is one thing, that something could not be
// written; he is loudly warned of in the system log.
//
//   - The code MUST be right all the same, by the state as it can be read.
//   - What cannot be used up MUST end by itself: only codes that go by the clock count then.
//   - Nothing but a disk that cannot be written MUST be forgiven, and nobody but at the console; and nothing of an enrolment.

// mayForgive reports whether the policy forgives a fault to whoever logs in here.
func (r *run) mayForgive() bool {
	return r.policy.OnFault == policy.FaultConsole && sitsAtConsole(r.hello) && !r.enrolling
}

// isWriteFault tells a disk that cannot be written from everything else that can be wrong. A file size limit is not among it: that is
// set by whoever starts the application, as in "ulimit -f 0; su". Neither is a state that was read and found damaged.
func isWriteFault(err error) bool {
	faults := []error{unix.EROFS, unix.ENOSPC, unix.EDQUOT, unix.EIO, unix.EUCLEAN}
	return !state.IsDamaged(err) && slices.ContainsFunc(faults, func(fault error) bool { return errors.Is(err, fault) })
}

// forgive drops the error when it is one that is forgiven here.
func (r *run) forgive(err error) error {
	if !isWriteFault(err) || !r.mayForgive() {
		return err
	}
	r.forgiven = fmt.Errorf("on_fault is allow-console, and the user's state cannot be written: %w", err)
	r.host.Warn(r.hello.Name + " is not refused for that at the console: " + r.forgiven.Error())
	return nil
}

// despiteFault goes on after an answer that could not be looked at, or not be used up. The error is nil when the code is right and the
// fault is forgiven.
func (r *run) despiteFault(given reply, used device.Used, fault error) (device.Used, error) {
	if !isWriteFault(fault) || !r.mayForgive() {
		return device.Used{}, fault
	}
	if used.Method == "" { // it broke off before the code was compared
		var err error
		if used, err = r.lookWithoutWriting(given); err != nil {
			return device.Used{}, errors.Join(fault, err)
		}
	}
	if used.Method != string(factor.TOTP) {
		return device.Used{}, fault
	}
	return used, r.forgive(fault)
}

// noBypasses are those of a state that cannot be written: what cannot be used up is not good.
type noBypasses struct{}

// UseBypass finds none.
func (noBypasses) UseBypass(time.Time, func(state.Bypass) bool) (state.Bypass, error) {
	return state.Bypass{}, state.ErrNoBypass
}

// noPhones are those of a state that cannot be written: nothing is sent, and no code that was sent is good.
type noPhones struct{}

// Messages cannot be kept.
func (noPhones) Messages(time.Time) (*state.Messages, error) { return nil, errNotKept }

// SaveMessages keeps none.
func (noPhones) SaveMessages(*state.Messages) error { return errNotKept }

// Bypasses are none: noBypasses has them.
func (noPhones) Bypasses(time.Time) ([]state.Bypass, error) { return nil, nil }

// UseText finds none.
func (noPhones) UseText(time.Time, state.ID, string, [8]byte, func(state.TextCode) bool) error {
	return state.ErrNoText
}

var errNotKept = errors.New("nothing is sent while the user's state cannot be written")

// lookWithoutWriting compares the answer by the state as it can be read. A bucket that is empty refuses it as ever; what it charges is
// forgotten.
func (r *run) lookWithoutWriting(given reply) (device.Used, error) {
	store, err := r.host.Secrets(r.policy)
	if err != nil {
		return device.Used{}, err
	}
	record, err := store.Load(r.hello.Name)
	if err != nil {
		return device.Used{}, err
	}
	states, err := r.host.State(r.policy)
	if err != nil {
		return device.Used{}, err
	}
	st, err := states.Read(r.hello.Name)
	if err != nil {
		return device.Used{}, err
	}
	return r.look(ledger{st, func() error { return nil }, noBypasses{}, noPhones{}}, record, given)
}
