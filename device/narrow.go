package device

import (
	"slices"
	"time"

	"twokey/factor"
)

// Only leaves out what answers by a method that is not among these: it is neither looked at nor paid for. Methods are those of factor,
// SMS, Push and Recovery. Of Push only what was linked with provider counts, and with "" none. It only ever takes away: a second call
// cannot bring back what the first has left out.
//
// Attack: a phone was linked with an ntfy server, and the host asks Duo since: whoever has the user's name there would be asked for him, or
// let in by a rule of Duo's without being asked.
func (s *Set) Only(methods []string, provider string) {
	other := func(d joined) bool {
		return !slices.Contains(methods, string(d.params.Method)) || d.params.Method == Push && (provider == "" || d.provider != provider)
	}
	for _, of := range []*[]joined{&s.devices, &s.phones, &s.expired} {
		kept := slices.DeleteFunc(slices.Clone(*of), other)
		s.narrowed = s.narrowed || len(kept) < len(*of)
		*of = kept
	}
	if !slices.Contains(methods, Recovery) {
		s.recovery, s.noRecovery = nil, ErrMethod
	}
}

// Lengths gives the numbers of digits of the codes that count, each once and the shortest first.
func (s *Set) Lengths() []int {
	var all []int
	for _, d := range s.devices {
		all = append(all, d.params.Digits)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Offset says by how much the clock of a device must be wrong for the answer to be its code: it would be right at now+off, at most
// factor.FurthestOffset to either side; of several devices and times the nearest. It is for the log and the administrator, never for
// the prompt, and lets nobody in. For the same number of devices it always does the same work.
func (s *Set) Offset(answer factor.Answer, now time.Time) (off time.Duration, found bool) {
	off, _, found = s.OffsetOf(answer, now)
	return off, found
}

// OffsetOf is Offset and the name of the device.
func (s *Set) OffsetOf(answer factor.Answer, now time.Time) (off time.Duration, device string, found bool) {
	for _, d := range s.devices {
		by, hit := d.params.Offset(answer.Text, now)
		if hit && (!found || by.Abs() < off.Abs()) {
			off, device, found = by, d.changes.Name, true
		}
	}
	return off, device, found
}
