package phone

import "testing"

func TestANumberIsShownAsPeopleWriteItOrMasked(t *testing.T) {
	for number, want := range map[string][2]string{
		"+442079460958":        {"+44 20 7946 0958", "+44 ••• 958"},
		"+15005550006":         {"+1 500 555 0006", "+1 ••• 006"},
		"+491701234567":        {"+49 170 1234567", "+49 ••• 567"},
		"+35312345678":         {"+353 1 234 5678", "+353 ••• 678"},
		"020 7946 0958":        {"020 7946 0958", "••• 958"},
		"+9999":                {"+9999", "••• 999"},
		"12":                   {"12", "••• 12"},
		"":                     {"", "••• "},
		"+44 20 7946 0958":     {"+44 20 7946 0958", "••• 958"},
		"+4420\x1b[2J79460958": {"+4420\x1b[2J79460958", "••• 958"},
	} {
		if got := [2]string{Spaced(number), Masked(number)}; got != want {
			t.Errorf("%q: %q, want %q", number, got, want)
		}
	}
}
