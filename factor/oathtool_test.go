package factor

import (
	"encoding/hex"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// oathtool asks the program of that name for the codes of a device from counter on: ten in a row.
func oathtool(t *testing.T, p Params, counter uint64) []string {
	t.Helper()
	args := []string{"--digits=" + strconv.Itoa(p.Digits), "--window=9"}
	if p.Method == HOTP {
		args = append(args, "--hotp", "--counter="+strconv.FormatUint(counter, 10))
	} else {
		now := strconv.FormatUint(counter*uint64(p.Period), 10)
		args = append(args, "--totp="+string(p.Algorithm), "--time-step-size="+strconv.Itoa(p.Period)+"s", "--now=@"+now)
	}
	out, err := exec.Command("oathtool", append(args, hex.EncodeToString(p.Secret))...).CombinedOutput()
	if err != nil {
		t.Fatalf("oathtool %q: %v\n%s", args, err, out)
	}
	return strings.Fields(string(out))
}

func TestCodesAreThoseOfOathtool(t *testing.T) {
	const secrets = 60
	r := seeded(t)
	compared := 0
	for range secrets {
		for _, digits := range []int{6, 7, 8} { // oathtool knows no others
			for _, algorithm := range []Algorithm{SHA1, SHA256, SHA512, ""} { // "" for HOTP, which has SHA1 there
				p := randomParams(r)
				p.Digits, p.Algorithm = digits, algorithm
				p.Method, p.Period = TOTP, MinPeriod+r.IntN(MaxPeriod-MinPeriod+1)
				counter := r.Uint64N(1<<40) / uint64(p.Period) // up to the year 36812
				if algorithm == "" {
					p.Method, p.Period, p.Algorithm = HOTP, 0, SHA1
				}
				compared += compareWithOathtool(t, p, counter)
			}
		}
	}
	if want := secrets * 3 * 4 * 10; compared != want {
		t.Errorf("%d codes compared, want %d", compared, want)
	}
}

// compareWithOathtool checks ten codes in a row, made and matched, and returns how many it has seen.
func compareWithOathtool(t *testing.T, p Params, first uint64) int {
	t.Helper()
	codes := oathtool(t, p, first)
	for i, want := range codes {
		counter := first + uint64(i)
		if got := code(t, p, counter); got != want {
			t.Errorf("%v, secret %x, counter %d: got %s, oathtool says %s", p, p.Secret, counter, got, want)
		}
		m := p.MatchHOTP(want, counter, 0)
		if p.Method == TOTP {
			m = p.MatchTOTP(want, time.Unix(int64(counter)*int64(p.Period), 0), 0, 0)
		}
		if !m.OK && counter > 0 {
			t.Errorf("%v, secret %x, counter %d: %s of oathtool is not accepted", p, p.Secret, counter, want)
		}
	}
	return len(codes)
}
