// Package device joins the two halves of a user's devices: what makes their codes, from the secret file, and what is used up, from
// the state. It says whether an answer is right and uses it up in the state it was given; charging, locking and writing are
// the caller's.
//
// What it must and must not do, each with a test:
//
//   - MUST NOT accept a counter of a device, or one below it, twice, whatever becomes of the clock and the secret file
//     (TestNoCodeIsEverAcceptedTwice).
//   - MUST use a code up on every device that it fits (TestACodeIsUsedUpOnEveryDeviceThatItFits).
//   - MUST refuse a secret file that is older than one seen before (TestJoinRefusesAnOlderFileAndLeavesTheStateAlone).
//   - MUST NOT make good again what was taken away, with a file that was seen before (TestAFileThatIsNotNewerBringsNothingBack) or a
//     device in a newer one (TestADeviceThatWasRemovedStaysRemoved).
//   - MUST NOT look at what answers by a method that does not count, nor use it up (TestOnlyWhatCountsIsLookedAt).
//   - MUST NOT accept a code of a device whose end has come, nor take its user for one without a device (TestADeviceIsGoodUntilItsEnd).
//   - MUST NOT take an answer for a code of a phone to which something is sent, nor let it change the price of an answer
//     (TestAPhoneMakesNoCodes, TestAPhoneBesideAnAppCostsNothing).
//   - MUST NOT count a phone that was linked with another provider than the one that would ask it (TestAPhoneCountsWithItsProviderAlone).
//   - MUST keep what is not bound to the time closed when the state was lost (TestRestoreClosesWhatIsCountedAndOpensThePresentStep).
package device

import (
	"errors"
	"fmt"
	"time"

	"twokey/factor"
	"twokey/secrets"
	"twokey/state"
)

const (
	// LookAhead is how many counters of a hotp device beyond the next one are accepted, RFC 4226 section 7.4.
	LookAhead = 5
	// Resync is the number of counters in which two hotp codes in a row are searched.
	Resync = 100
)

// ByFile is who has added a device of which nothing is known but that the secret file has it: of a file from elsewhere, or of an
// enrolment that was killed before it could say by whom.
const ByFile = "a new secret file"

// Recovery and Bypass are the methods of recovery codes and of bypass codes; those of devices are factor's.
const (
	Recovery = "recovery"
	Bypass   = "bypass"
)

// The reasons for which an answer is refused.
var (
	ErrWrong      = errors.New("wrong code")
	ErrReplayed   = errors.New("code used before")
	ErrRolledBack = errors.New("the secret file is older than one that was used before")
	ErrRestored   = errors.New("the state was lost: hotp and recovery codes are closed until twokey adopt")
	ErrEnded      = errors.New("what is in the secret file was taken away from the user")
	ErrMethod     = errors.New("the user has nothing by a method that counts here")
	ErrExpired    = errors.New("the device has expired")
)

// ExpiredError is ErrExpired, with the device and when that was. Its user stays enrolled: to be without a device would open doors.
type ExpiredError struct {
	Device string
	Until  time.Time
}

// Error names the device, for the log.
func (e ExpiredError) Error() string {
	return fmt.Sprintf("the device %q has expired on %s", e.Device, e.Until.UTC().Format("2006-01-02 15:04 UTC"))
}

// Unwrap is ErrExpired.
func (e ExpiredError) Unwrap() error { return ErrExpired }

// ReplayedError is ErrReplayed for a code of a device.
type ReplayedError struct {
	Device string
	// From is where the last code of the device came from, as state.SourceKey gives it: nobody else is to be told that this one was used.
	From string
	Next time.Duration // until the device shows another code; 0 for hotp, which does when it is pressed
}

// Error is the text of ErrReplayed.
func (e ReplayedError) Error() string { return ErrReplayed.Error() }

// Unwrap is ErrReplayed.
func (e ReplayedError) Unwrap() error { return ErrReplayed }

// Set is all that a user can answer with at one moment.
type Set struct {
	st          *state.State
	recovery    *secrets.Recovery
	devices     []joined // that make codes and count now
	phones      []joined // of SMS and Push, that count now
	expired     []joined
	discrepancy int   // steps
	narrowed    bool  // Only has left a device out
	noRecovery  error // why there are no recovery codes, if there are none
}

// joined is one device.
type joined struct {
	params   factor.Params
	changes  *state.Device
	until    time.Time
	provider string // of Push: with whom it was linked
}

// Used says what a right answer used up.
type Used struct {
	Method, Device string // of a bypass code its id in place of the device
	Left           int    // recovery codes that are left; -1 when it was none
}

// Join brings the state up to date with the secret file, which configuration management may have replaced, and returns what is
// good in both now. A file that is older than one seen before is ErrRolledBack: it would make a lost phone valid again. The state
// learns from a newer file only: what it does not know of one that it has seen was taken away. A device is good until the moment
// that is its end.
func Join(st *state.State, record *secrets.Record, discrepancy int, now time.Time) (*Set, error) {
	if record.Serial < st.Serial {
		return nil, ErrRolledBack
	}
	if record.Serial > st.Serial {
		learn(st, record)
	}
	set := &Set{st: st, recovery: record.Recovery, discrepancy: discrepancy, noRecovery: ErrWrong}
	for _, d := range record.Devices {
		changes := st.Device(state.ID(d.ID))
		if changes == nil || st.Restored && d.Method == string(factor.HOTP) {
			continue
		}
		one := joined{Params(d), changes, d.Until, d.Provider}
		switch {
		case expired(d, now):
			set.expired = append(set.expired, one)
		case IsOutOfBand(d.Method):
			set.phones = append(set.phones, one)
		default:
			set.devices = append(set.devices, one)
		}
	}
	return set, nil
}

// expired goes by the secret file, which says until when.
func expired(d secrets.Device, now time.Time) bool { return !d.Until.IsZero() && !now.Before(d.Until) }

// learn gives the state what is in a newer file: new devices with nothing used up, none whose id was taken away before.
func learn(st *state.State, record *secrets.Record) {
	st.Serial, st.MustEnroll = record.Serial, false // a newer file ends a reset
	listed := map[state.ID]bool{}
	for _, d := range record.Devices {
		listed[state.ID(d.ID)] = true
	}
	for _, old := range append([]state.Device(nil), st.Devices...) {
		if !listed[old.ID] {
			st.RemoveDevice(old.ID)
		}
	}
	for _, d := range record.Devices {
		fresh := Fresh(d)
		if old := st.Device(fresh.ID); old != nil {
			old.Name, old.Method, old.Until, old.Consumed = fresh.Name, fresh.Method, fresh.Until, max(old.Consumed, fresh.Consumed)
		} else if !st.WasRemoved(fresh.ID) {
			st.Devices = append(st.Devices, fresh)
			st.AddNotice(fresh.ID, ByFile)
		}
	}
	if set := unused(record); set.ID != st.Recovery.ID {
		st.Recovery = set
	}
}

// unused is the changing half of the recovery codes of a record, if it has any.
func unused(record *secrets.Record) state.Recovery {
	if record.Recovery == nil {
		return state.Recovery{}
	}
	return state.Recovery{ID: state.ID(record.Recovery.ID), Total: len(record.Recovery.Hashes)}
}

// Restore makes the state of a user who has a secret file but no state: a restored host, a new disk, files that were provisioned.
// What was used before is not known, so codes are good from the present time step on, and those that are not bound to the time
// stay closed. Devices of SMS and Push work on: nothing of theirs is used up.
func Restore(record *secrets.Record, uid uint32, now time.Time) *state.State {
	st := &state.State{User: record.User, UID: uid, Serial: record.Serial, Restored: true, Recovery: unused(record)}
	for _, d := range record.Devices {
		fresh := Fresh(d)
		if d.Method == string(factor.TOTP) {
			fresh.Consumed = max(1, Params(d).Step(now)) - 1
		}
		st.Devices = append(st.Devices, fresh)
	}
	return st
}

// Rewind brings consumed steps that no login could have reached by now back to the present one, and reports whether there were any:
// the clock was ahead when a state was made or a code was used, and every code would count as used before until the clock is there
// again. Codes of steps up to the present one stay used up.
func Rewind(st *state.State, record *secrets.Record, now time.Time) bool {
	found := false
	for _, d := range record.Devices {
		p, changes := Params(d), st.Device(state.ID(d.ID))
		if p.Method != factor.TOTP || changes == nil || changes.Consumed <= p.Step(now)+factor.MaxDiscrepancy+1 {
			continue
		}
		changes.Consumed, found = p.Step(now), true
	}
	return found
}

// Fresh is the changing half of a device of which nothing is used up.
func Fresh(d secrets.Device) state.Device {
	return state.Device{ID: state.ID(d.ID), Name: d.Name, Method: d.Method, Consumed: d.Counter, Created: d.Created, Until: d.Until}
}

// Params is what makes the codes of a device.
func Params(d secrets.Device) factor.Params {
	return factor.Params{Method: factor.Method(d.Method), Secret: d.Secret, Digits: d.Digits, Period: d.Period,
		Algorithm: factor.Algorithm(d.Algorithm)}
}

// Fits reports whether the answer is as long as one code, or two codes in a row, of any device.
func (s *Set) Fits(answer factor.Answer) (one, two bool) {
	for _, d := range s.devices {
		one = one || len(answer.Text) == d.params.Digits
		two = two || len(answer.Text) == 2*d.params.Digits
	}
	return one && answer.Kind == factor.Digits, two && answer.Kind == factor.Digits
}

// Cost is the price of looking at one answer, in thousandths of an attempt, as one code and as a pair.
func (s *Set) Cost() (one, two int64) {
	var all []factor.Params
	for _, d := range s.devices {
		all = append(all, d.params)
	}
	return factor.Cost(all, s.discrepancy, LookAhead), factor.PairCost(all, s.discrepancy, Resync)
}

// Code compares the answer with the codes of every device and uses it up on each that it fits: a secret that is on two devices
// must not give two logins for one code.
func (s *Set) Code(answer factor.Answer, now time.Time, source string) (Used, error) {
	return s.match(now, source, func(d joined) factor.Match {
		if d.params.Method == factor.HOTP {
			return d.params.MatchHOTP(answer.Text, d.changes.Consumed, LookAhead)
		}
		return d.params.MatchTOTP(answer.Text, now, s.discrepancy, d.changes.Consumed)
	})
}

// Pair is Code for two codes of one device, one behind the other, typed together.
func (s *Set) Pair(answer factor.Answer, now time.Time, source string) (Used, error) {
	return s.match(now, source, func(d joined) factor.Match {
		if d.params.Method == factor.HOTP {
			return d.params.MatchHOTPPair(answer.Text, d.changes.Consumed, Resync)
		}
		return d.params.MatchTOTPPair(answer.Text, now, s.discrepancy, d.changes.Consumed)
	})
}

func (s *Set) match(now time.Time, source string, try func(joined) factor.Match) (Used, error) {
	var found *state.Device
	reason := s.expiredBy(try)
	for _, d := range s.devices {
		m := try(d)
		if m.Replayed {
			reason = ReplayedError{d.changes.Name, d.changes.From, d.next(now)}
		}
		if !m.OK {
			continue
		}
		d.changes.Consumed = m.Counter
		if d.params.Method == factor.HOTP {
			d.changes.Consumed = m.Counter + 1
		}
		d.changes.Used, d.changes.From = now, state.SourceKey(source)
		if found == nil {
			found = d.changes
		}
	}
	if found == nil {
		return Used{}, reason
	}
	return Used{Method: found.Method, Device: found.Name, Left: -1}, nil
}

// expiredBy is the reason for an answer that fits no device that is good: that it would have been right, had its device not expired.
// Nothing is used up: it lets nobody in.
func (s *Set) expiredBy(try func(joined) factor.Match) error {
	for _, d := range s.expired {
		if !IsOutOfBand(string(d.params.Method)) && try(d).OK {
			return d.expiredError()
		}
	}
	return s.Refusal()
}

func (d joined) expiredError() ExpiredError { return ExpiredError{d.changes.Name, d.until} }

// next is how long it is until a device that goes by the clock shows another code.
func (d joined) next(now time.Time) time.Duration {
	if d.params.Method != factor.TOTP {
		return 0
	}
	end := int64(d.params.Step(now)+1) * int64(d.params.Period)
	return time.Unix(end, 0).Sub(now)
}

// Refusal is the reason why an answer is refused that fits nothing: what closed all devices, if something did, or ErrWrong.
func (s *Set) Refusal() error {
	switch {
	case len(s.devices)+len(s.phones) > 0:
		return ErrWrong
	case len(s.expired) > 0:
		return s.expired[0].expiredError()
	case s.narrowed:
		return ErrMethod
	case s.st.Restored:
		return ErrRestored
	}
	return ErrEnded
}

// RecoveryCode uses up a recovery code.
func (s *Set) RecoveryCode(answer factor.Answer) (Used, error) {
	if s.recovery == nil {
		return Used{}, s.noRecovery
	}
	i, ok := factor.MatchRecovery(s.recovery.Key, s.recovery.Hashes, answer.Text)
	switch {
	case !ok:
		return Used{}, ErrWrong
	case state.ID(s.recovery.ID) != s.st.Recovery.ID:
		return Used{}, ErrEnded
	case s.st.Restored:
		return Used{}, ErrRestored
	case s.st.Recovery.Used&(1<<i) != 0:
		return Used{}, ErrReplayed
	}
	s.st.Recovery.Used |= 1 << i
	return Used{Method: Recovery, Left: s.st.Recovery.Left()}, nil
}
