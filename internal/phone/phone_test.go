package phone

import (
	"errors"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	for number, good := range map[string]bool{
		"+442079460958":                true, // a landline of London
		"+447911123456":                true,
		"+12025550123":                 true,
		"+4915123456789":               true,
		"":                             false,
		"+":                            false,
		"00442079460958":               false, // a prefix that only some countries dial
		"02079460958":                  false,
		"442079460958":                 false,
		"+44 20 7946 0958":             false,
		"+44(0)2079460958":             false,
		"+4402079460958":               false, // the 0 is dialled inside the country only
		"+442079460958;ext=1":          false,
		"tel:+442079460958":            false,
		"+442079460958\n":              false,
		"+999123456789":                false, // no such country
		"+4420794609580":               false, // too long for London
		"+44207946":                    false, // too short
		"+٤٤٢٠٧٩٤٦٠٩٥٨":                false, // digits of another script
		"+0442079460958":               false,
		"+1" + strings.Repeat("2", 15): false,
	} {
		err := Check(number)
		if (err == nil) != good || err != nil && !errors.Is(err, ErrNumber) {
			t.Errorf("%q: %v, want good: %v", number, err, good)
		}
	}
}

// Who has typed the international form must not be told that it is another one.
func TestCheckSaysWhatIsWrong(t *testing.T) {
	const form = "not a telephone number in the international form, such as +442079460958"
	for number, want := range map[string]string{
		"02079460958":    form,
		"+4402079460958": form, // with the 0 that is dialled inside the country only
		"+999123456789":  "+999123456789 is not a telephone number: no country has a code like that",
		"+2101234567":    "+2101234567 is not a telephone number: no country has a code like that",
		"+4420794609580": "+4420794609580 is not a telephone number: no number of its country is like that",
	} {
		if err := Check(number); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", number, err, want)
		}
	}
}

func FuzzCheck(f *testing.F) {
	for _, seed := range []string{"+442079460958", "+4402079460958", "+1202555012a", "+", "+999999999999999"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, number string) {
		if Check(number) == nil && !plain.MatchString(number) {
			t.Errorf("%q was taken", number)
		}
	})
}
