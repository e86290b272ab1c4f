package qr

import "strings"

// WideWidth returns how many columns Wide needs.
func (c *Code) WideWidth() int { return 2 * c.Width() }

// Wide draws the code with number signs and spaces, two columns and one line for each module, for terminals that cannot show half blocks:
// light modules are drawn, as Terminal does without inverse. Every line has WideWidth columns and a line end.
func (c *Code) Wide() string {
	var b strings.Builder
	for y := -terminalQuiet; y < c.size+terminalQuiet; y++ {
		for x := -terminalQuiet; x < c.size+terminalQuiet; x++ {
			if c.isDark(x, y) {
				b.WriteString("  ")
			} else {
				b.WriteString("##")
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}
