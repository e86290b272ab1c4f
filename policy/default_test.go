package policy

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestDefaultIsSwitchedOnAndOptional(t *testing.T) {
	c, err := Parse(Default())
	if err != nil {
		t.Fatal(err)
	}
	want := defaults()
	if string(c.Compile(zeros)) != string(want.Compile(zeros)) {
		t.Errorf("the initial configuration says\n%s\nthe defaults are\n%s", c.Compile(zeros), want.Compile(zeros))
	}
	if w := c.Warnings(time.Time{}); len(w) != 0 {
		t.Errorf("the initial configuration has warnings: %q", w)
	}
}

// Every line that an administrator can switch on by taking off the "# " is right.
func TestDefaultIsRightWithItsExamplesSwitchedOn(t *testing.T) {
	var lines []string
	switchedOn := 0
	example := regexp.MustCompile(`^# ((off_until|language|messages|issuer|contact|help_url|open_within|remember|shared|ssh_keys_alone|methods|methods_default|sms|push|enroll|mail|` +
		`new_devices|discrepancy|bypass|roles|provisioners|on_fault|managed_by|paths|require|exempt|rules|services):|  - \{|  [a-z-]+: \{)`)
	for _, line := range strings.Split(string(Default()), "\n") {
		if example.MatchString(line) {
			line = line[2:]
			switchedOn++
		}
		lines = append(lines, line)
	}
	c, err := Parse([]byte(strings.Join(lines, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	if switchedOn != 38 || len(c.Require) != 2 || len(c.Exempt) != 2 || len(c.Rules) != 3 || len(c.Services) != 3 {
		t.Errorf("%d examples switched on, got %+v", switchedOn, c)
	}
	if w := c.Warnings(time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)); len(w) != 3 || !strings.HasPrefix(w[0], "off_until: ") ||
		!strings.HasPrefix(w[1], "on_fault ") || !strings.HasPrefix(w[2], "sms is the weakest") {
		t.Errorf("warnings %q, want that it is switched off, lets the console in and sends SMS, alone", w)
	}
}
