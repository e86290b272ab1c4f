package device

import (
	"testing"
	"time"

	"twokey/factor"
)

// BenchmarkCode is what a login costs here, with an app, a token and recovery codes: the join, and an answer that is right or wrong. The state
// has seen the secret file before, as it has at every login but the first.
func BenchmarkCode(b *testing.B) {
	r := record(7, recovery(1), phone(1), token(2))
	right := shows(b, phone(1), 0)
	wrong := "000000"
	if right == wrong {
		wrong = "000001"
	}
	for typed, fails := range map[string]error{right: nil, wrong: ErrWrong} {
		name := "right"
		if fails != nil {
			name = "wrong"
		}
		b.Run(name, func(b *testing.B) {
			st := fresh()
			join(b, st, r)
			answer := factor.ParseAnswer(typed)
			b.ReportAllocs()
			for b.Loop() {
				st.Devices[0].Consumed, st.Devices[0].Used = 0, time.Time{}
				_, err := join(b, st, r).Code(answer, noon, home)
				want(b, name, err, fails)
			}
		})
	}
}

// BenchmarkRecoveryCode is a recovery code, the last of its set.
func BenchmarkRecoveryCode(b *testing.B) {
	r := record(7, recovery(1), phone(1))
	st := fresh()
	join(b, st, r)
	before := st.Recovery
	answer := factor.ParseAnswer(recoveryCodes[len(recoveryCodes)-1])
	b.ReportAllocs()
	for b.Loop() {
		st.Recovery = before
		_, err := join(b, st, r).RecoveryCode(answer)
		want(b, "the last", err, nil)
	}
}
