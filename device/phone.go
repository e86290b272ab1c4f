package device

import (
	"slices"
	"time"

	"twokey/factor"
	"twokey/secrets"
	"twokey/state"
)

// SMS and Push are the methods of devices that show no codes by themselves: something is sent to them. Nothing of theirs is ever used up
// by a counter, so a state that was lost closes neither; what was open is in another file, state.Messages.
const (
	SMS  = "sms"
	Push = "push"
)

// IsOutOfBand reports whether a device of this method is sent something, and makes no codes.
func IsOutOfBand(method string) bool { return method == SMS || method == Push }

// OutOfBand gives the methods, of SMS and Push, by which something can be sent to the user that counts now.
func (s *Set) OutOfBand() []string {
	var all []string
	for _, d := range s.phones {
		all = append(all, string(d.params.Method))
	}
	return all
}

// Codes reports whether the user has a device that counts now and makes codes: an app or a token.
func (s *Set) Codes() bool { return len(s.devices) > 0 }

// SecretOf is the secret of the device of SMS or Push, 32 bytes; nil when none counts.
func (s *Set) SecretOf(method string) []byte {
	if i := s.phone(method); i >= 0 {
		return s.phones[i].params.Secret
	}
	return nil
}

// UseOutOfBand notes a success by SMS or Push. When no such device counts (any more), it is ErrExpired or ErrMethod.
func (s *Set) UseOutOfBand(method string, now time.Time, source string) (Used, error) {
	i := s.phone(method)
	if i < 0 {
		return Used{}, s.without(method)
	}
	changes := s.phones[i].changes
	changes.Used, changes.From = now, state.SourceKey(source)
	return Used{Method: method, Device: changes.Name, Left: -1}, nil
}

// without is the reason why nothing can be sent by a method.
func (s *Set) without(method string) error {
	for _, d := range s.expired {
		if string(d.params.Method) == method {
			return d.expiredError()
		}
	}
	return ErrMethod
}

func (s *Set) phone(method string) int {
	return slices.IndexFunc(s.phones, func(d joined) bool { return string(d.params.Method) == method })
}

// LastUsed is the method of the device that worked last, of those that count now; "" when none has worked yet.
func (s *Set) LastUsed() string {
	method, last := "", time.Time{}
	for _, d := range slices.Concat(s.devices, s.phones) {
		if d.changes.Used.After(last) {
			method, last = string(d.params.Method), d.changes.Used
		}
	}
	return method
}

// PhoneConfirmed reports whether a code has come back from the user's number: typed at the enrolment, or at a login since.
func PhoneConfirmed(record *secrets.Record, m *state.Messages) bool {
	i := slices.IndexFunc(record.Devices, func(d secrets.Device) bool { return d.Method == SMS })
	if record.Phone == "" || i < 0 {
		return record.PhoneConfirmed
	}
	return record.PhoneConfirmed || m.Confirmed == factor.PhoneMark(record.Devices[i].Secret, record.Phone)
}
