package doctest

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"

	"twokey/policy"
	"twokey/state"
)

// What docs/security.md says of guessing codes by SMS is what the limits come to.
func TestTheArithmeticOfGuessingATextsCode(t *testing.T) {
	b, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	sum := regexp.MustCompile(`(?m)^ +(\d+) tries × (\d+) messages × 365 days = (\d+) tries a year, of one in 1 000 000: ([\d.]+) %$`).FindStringSubmatch(string(b))
	eight := regexp.MustCompile(`With 8 digits it is ([\d.]+) %`).FindStringSubmatch(string(b))
	if sum == nil || eight == nil {
		t.Fatal("the sum is not found")
	}
	perDay := textsOfADay(t)
	tries := state.TextTries * perDay * 365
	chance := func(digits int) float64 { return 100 * (1 - math.Pow(1-math.Pow10(-digits), float64(tries))) }
	if want := []string{strconv.Itoa(state.TextTries), strconv.Itoa(perDay), strconv.Itoa(tries), fmt.Sprintf("%.1f", chance(policy.NewSMS(policy.ProviderTwilio).Digits))}; fmt.Sprint(sum[1:]) != fmt.Sprint(want) {
		t.Errorf("the page says %v, it is %v", sum[1:], want)
	}
	if want := fmt.Sprintf("%.3f", chance(8)); eight[1] != want {
		t.Errorf("with 8 digits: the page says %s, it is %s", eight[1], want)
	}
}

// textsOfADay is how many messages somebody is sent on his third day who asks for one each minute.
func textsOfADay(t *testing.T) (sent int) {
	t.Helper()
	begin := time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC)
	var m state.Messages
	for minute := range 3 * 24 * 60 {
		now := begin.Add(time.Duration(minute) * time.Minute)
		if m.MayText(now, true) != nil {
			continue
		}
		m.AddText(state.TextCode{Until: now.Add(5 * time.Minute), Left: state.TextTries}, now)
		if now.After(begin.Add(48*time.Hour - time.Second)) {
			sent++
		}
	}
	return sent
}
