package policy

import (
	"testing"
	"time"
)

func TestATimeIsSpeltAsTheConfigurationTakesIt(t *testing.T) {
	for want, d := range map[string]time.Duration{"0s": 0, "1s": time.Second, "90s": 90 * time.Second, "5m": 5 * time.Minute,
		"1h": time.Hour, "1h30m": 90 * time.Minute, "48h": 48 * time.Hour, "86401s": 24*time.Hour + time.Second} {
		if got := Brief(d); got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
		if back, err := time.ParseDuration(want); err != nil || back != d {
			t.Errorf("%s is read as %s, %v", want, back, err)
		}
	}
}
