package doctor

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"twokey/policy"
)

// Clock is how right the host's clock is.
type Clock struct {
	Synchronised bool
	By           string        // who says so: "chrony", "the kernel"
	Known        bool          // Offset is known
	Offset       time.Duration // of the host from the true time, above zero when it is ahead
}

// duoWindow is by how much the date of a request to Duo may be wrong, before it refuses what was signed.
const duoWindow = 5 * time.Minute

const chronyc = "/usr/bin/chronyc"

// MachineClock asks chrony, and where that does not run the kernel, which systemd-timesyncd and ntpd tell (adjtimex(2), STA_UNSYNC).
func MachineClock(ctx context.Context) (Clock, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, chronyc, "-n", "tracking")
	cmd.Env = []string{"LC_ALL=C"}
	cmd.WaitDelay = patience
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Run(); err == nil {
		if c, ok := chrony(out.String()); ok {
			return c, nil
		}
	}
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	if err != nil {
		return Clock{}, fmt.Errorf("adjtimex: %w", err)
	}
	return Clock{Synchronised: state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0, By: "the kernel"}, nil
}

// chrony reads what `chronyc tracking` prints; false when it is not that.
func chrony(text string) (Clock, bool) {
	c := Clock{By: "chrony"}
	leap := false
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(line, ":")
		switch value = strings.TrimSpace(value); strings.TrimSpace(name) {
		case "Leap status":
			c.Synchronised, leap = value != "Not synchronised", true
		case "System time":
			words := strings.Fields(value)
			if len(words) < 3 {
				continue
			}
			seconds, err := strconv.ParseFloat(words[0], 64)
			if err != nil || seconds < 0 || seconds > 1e9 {
				continue
			}
			c.Known, c.Offset = true, time.Duration(seconds*float64(time.Second))
			if words[2] == "slow" {
				c.Offset = -c.Offset
			}
		}
	}
	return c, leap
}

// clock: a code is good for a few periods of half a minute.
func (e *examination) clock() {
	ask := e.Clock
	if ask == nil {
		ask = MachineClock
	}
	c, err := ask(e.ctx)
	switch tolerated := e.tolerance(); {
	case err != nil:
		e.add(Finding{Severity: Info, ID: "clock-unknown", About: "clock", Message: fmt.Sprintf("whether the clock is right cannot be told: %v", err), Fix: command("date")})
	case c.Known && c.Offset.Abs() > tolerated:
		e.add(Finding{Severity: Error, ID: "clock-wrong", About: "clock", Fix: command("chronyc makestep"),
			Message: fmt.Sprintf("the clock is wrong by %s, so %s refused (%s)", c.Offset.Round(time.Second), e.refused(), c.By)})
	case !c.Synchronised:
		e.add(Finding{Severity: Warning, ID: "clock-unsynchronised", About: "clock", Fix: command("timedatectl set-ntp true"),
			Message: fmt.Sprintf("nobody keeps the clock right (%s says so): when it is wrong by more than %s, right codes are refused", c.By, tolerated)})
	}
}

// tolerance is how wrong the clock may be.
func (e *examination) tolerance() time.Duration {
	period, steps := 30*time.Second, 1
	if e.Policy != nil {
		period, steps = e.Policy.NewDevices.Period, e.Policy.Discrepancy
	}
	tolerated := period * time.Duration(max(1, steps))
	if e.byDuo() {
		return min(tolerated, duoWindow)
	}
	return tolerated
}

// refused is what a wrong clock spoils.
func (e *examination) refused() string {
	if e.byDuo() {
		return "right codes, or questions to Duo, are"
	}
	return "right codes are"
}

func (e *examination) byDuo() bool {
	return e.Policy != nil && e.Policy.Push != nil && e.Policy.Push.Provider == policy.ProviderDuo
}
