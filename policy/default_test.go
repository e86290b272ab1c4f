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
	example := regexp.MustCompile(`^# ((issuer|contact|help_url|new_devices|discrepancy|paths|require|exempt):|  - \{)`)
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
	if switchedOn != 12 || len(c.Require) != 2 || len(c.Exempt) != 2 || c.Issuer == "" || c.HelpURL == "" {
		t.Errorf("%d examples switched on, got %+v", switchedOn, c)
	}
}
