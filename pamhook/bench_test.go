package pamhook

import (
	"testing"
	"time"

	"twokey/pamhook/wire"
)

// BenchmarkRun is what the order of a login costs, with a state in memory and everything else a fake: of a right code, and of a wrong one, for
// which it is found out whether a clock is wrong.
func BenchmarkRun(b *testing.B) {
	for name, want := range map[string]wire.Type{"right code": wire.TypeAllow, "wrong code": wire.TypeDeny} {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b)
			for b.Loop() {
				w.now = w.now.Add(24 * time.Hour) // for a code that is not used yet, and for tries that have come back
				w.answer = []byte(w.code(0))
				if want == wire.TypeDeny {
					w.answer = []byte(w.wrongCode())
				}
				if got := w.frame(); got != want {
					b.Fatalf("%v, want %v: %v", got, want, w.reasons())
				}
			}
		})
	}
}
