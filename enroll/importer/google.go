package importer

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"twokey/factor"
)

// The options of a ~/.google_authenticator, behind a quotation mark and a space.
const (
	optTOTP     = "TOTP_AUTH"
	optHOTP     = "HOTP_COUNTER"
	optStep     = "STEP_SIZE"
	optWindow   = "WINDOW_SIZE"
	optRate     = "RATE_LIMIT"
	optReuse    = "DISALLOW_REUSE"
	optSkew     = "TIME_SKEW"
	optResettle = "RESETTING_TIME_SKEW"
)

const scratchDigits = 8

// google is what stands in one ~/.google_authenticator.
type google struct {
	secret  []byte
	line    int // of the secret
	options map[string]string
	lines   map[string]int // of the options
	order   []string       // of options
	scratch int            // codes
	err     error          // of the first line that is wrong
}

func readGoogle(c *collector, r io.Reader) error {
	g := &google{options: map[string]string{}, lines: map[string]int{}}
	err := c.eachLine(r, MaxHome, func(number int, text string) {
		if g.err == nil {
			if g.err = g.take(number, text); g.err != nil {
				c.wrong(number, c.options.User, g.err)
			}
		}
	})
	if err != nil || g.err != nil {
		return err
	}
	f, err := g.device()
	if err != nil {
		c.wrong(max(g.line, 1), c.options.User, err)
		return nil
	}
	f.user = c.options.User
	c.add(f)
	return nil
}

func (g *google) take(number int, text string) (err error) {
	option, isOption := strings.CutPrefix(text, `" `)
	switch {
	case g.line == 0:
		g.line = number
		g.secret, err = factor.DecodeSecret(text)
		return err
	case isOption:
		name, value, _ := strings.Cut(option, " ")
		if _, twice := g.options[name]; twice {
			return fmt.Errorf("the option %.40q is there twice", name)
		}
		g.options[name], g.lines[name] = value, number
		g.order = append(g.order, name)
		return nil
	case len(text) == scratchDigits && strings.Trim(text, "0123456789") == "":
		g.scratch++
		return nil
	}
	return errors.New("neither an option nor a scratch code")
}

func (g *google) device() (found, error) {
	f := found{line: g.line, device: usual(g.secret)}
	if g.line == 0 {
		return f, errors.New("there is no secret")
	}
	_, byTime := g.options[optTOTP]
	counter, counts := g.options[optHOTP]
	if byTime == counts {
		return f, fmt.Errorf("want one of the options %s and %s", optTOTP, optHOTP)
	}
	if counts {
		n, err := plainNumber(counter)
		if err != nil {
			return f, &atLine{g.lines[optHOTP], fmt.Errorf("%s: %w", optHOTP, err)}
		}
		f.device = byCounter(f.device, n)
	}
	if step, given := g.options[optStep]; given && byTime {
		n, err := plainNumber(step)
		if err != nil || n < factor.MinPeriod || n > factor.MaxPeriod {
			return f, &atLine{g.lines[optStep], fmt.Errorf("%s: want %d to %d seconds", optStep, factor.MinPeriod, factor.MaxPeriod)}
		}
		f.device.Period = int(n)
	}
	f.left = g.leftBehind(byTime)
	return f, nil
}

// leftBehind says of each option that has no place here what it was.
func (g *google) leftBehind(byTime bool) (left []string) {
	for _, name := range g.order {
		if text := inWords(name, g.options[name], byTime); text != "" {
			left = append(left, text)
		}
	}
	if g.scratch > 0 {
		left = append(left, fmt.Sprintf("%d scratch codes of %d digits end, since recovery codes here have 60 bits: --recovery-codes N makes new ones", g.scratch, scratchDigits))
	}
	return left
}

func inWords(name, value string, byTime bool) string {
	shown := fmt.Sprintf("%.60s", value)
	switch name {
	case optTOTP, optHOTP, optStep, optReuse: // carried over; every code is good once here
		return ""
	case optWindow:
		n, err := plainNumber(value)
		switch {
		case err != nil:
			return optWindow + " is not a number"
		case byTime:
			return fmt.Sprintf("%s %d, ±%d steps: here that is discrepancy in the configuration, for everybody", optWindow, n, n/2)
		}
		return fmt.Sprintf("%s %d, by which the device may be ahead: here that is the same for everybody", optWindow, n)
	case optRate:
		times := strings.Fields(value)
		return fmt.Sprintf("%s %s: the throttle is another one here, and nobody's own", optRate, strings.Join(times[:min(2, len(times))], " "))
	case optSkew:
		return fmt.Sprintf("%s %s: the device's clock was off by so many steps; if its codes are not taken, set its clock", optSkew, shown)
	case optResettle:
		return ""
	}
	if strings.HasPrefix(name, "LAST") {
		return "" // when and from where logins were remembered
	}
	return fmt.Sprintf("the option %.40q, which is unknown", name)
}

// plainNumber reads a number as it is written plainly: what begins with a zero is eight to some and an error to others.
func plainNumber(text string) (uint64, error) {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || strconv.FormatUint(n, 10) != text {
		return 0, fmt.Errorf("%.20q is not a plain number", text)
	}
	return n, nil
}
