// Package qr draws the QR code of an enrolment: for a terminal, as PNG and as SVG. It opens no files; whoever writes one
// must create it with mode 0600, since the picture is the secret.
//
// The code is ISO/IEC 18004, byte mode, error correction level L: the smallest, and a screen or a print-out is not
// damaged. The quiet zone is 2 modules in a terminal, where the screen round it is usually plain, 1 in number signs, so that
// the usual address fits into 80 columns, and 4 in pictures, as the standard wants.
package qr

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"strings"

	"github.com/boombuler/barcode/qr"
)

// MaxText is the longest text in bytes: version 40, level L, byte mode.
const MaxText = 2953

const (
	terminalQuiet = 2 // modules
	pictureQuiet  = 4 // modules
	modulePixels  = 8
)

// Code is a QR code. Get one from Encode.
type Code struct {
	size int    // modules a side, without the quiet zone
	dark []bool // row by row
}

// Encode makes the QR code of a text of 1 to MaxText bytes of printable ASCII, as every otpauth address is. Other text is
// refused: nothing in such a code says its encoding, and readers guess wrong. No error repeats the text, which has the
// secret in it.
func Encode(text string) (*Code, error) {
	if text == "" {
		return nil, errors.New("qr code: no text")
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
		return nil, errors.New("qr code: text is not printable ASCII")
	}
	drawn, err := qr.Encode(text, qr.L, qr.Unicode)
	if err != nil {
		// Not the library's error, which repeats the text.
		return nil, fmt.Errorf("qr code: %d bytes, want at most %d", len(text), MaxText)
	}
	size := drawn.Bounds().Dx()
	c := &Code{size: size, dark: make([]bool, 0, size*size)}
	for y := range size {
		for x := range size {
			red, _, _, _ := drawn.At(x, y).RGBA()
			c.dark = append(c.dark, red == 0)
		}
	}
	return c, nil
}

// isDark tells the module at column x and row y; what lies outside is the quiet zone, which is light.
func (c *Code) isDark(x, y int) bool {
	return x >= 0 && x < c.size && y >= 0 && y < c.size && c.dark[y*c.size+x]
}

// Width returns how many columns Terminal needs; with fewer the lines wrap and nothing can be scanned.
func (c *Code) Width() int {
	return c.size + 2*terminalQuiet
}

// Terminal draws the code with half blocks (U+2580, U+2584, U+2588 and space), two modules one above the other in a cell,
// without escape sequences: a login conversation cannot carry them. Every line has Width cells and a line end.
//
// Light modules and the quiet zone are drawn as blocks, which is right where text is brighter than what is behind it, as
// on most terminals. With inverse the dark modules are drawn as blocks, for dark text on a bright screen. A reader that
// also tries the negative, as many do, reads either drawing on either screen.
func (c *Code) Terminal(inverse bool) string {
	var b strings.Builder
	end := c.size + terminalQuiet
	for y := -terminalQuiet; y < end; y += 2 {
		for x := -terminalQuiet; x < end; x++ {
			// The sides are odd: the last line has no lower half.
			upper, lower := c.isDark(x, y) == inverse, y+1 < end && c.isDark(x, y+1) == inverse
			b.WriteString(cell(upper, lower))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// cell is the character whose halves are drawn.
func cell(upper, lower bool) string {
	switch {
	case upper && lower:
		return "\u2588"
	case upper:
		return "\u2580"
	case lower:
		return "\u2584"
	}
	return " "
}

// PNG returns the code as a PNG picture in black and white, 8 pixels a module.
func (c *Code) PNG() ([]byte, error) {
	side := (c.size + 2*pictureQuiet) * modulePixels
	picture := image.NewPaletted(image.Rect(0, 0, side, side), color.Palette{color.White, color.Black})
	for y := range side {
		for x := range side {
			if c.isDark(x/modulePixels-pictureQuiet, y/modulePixels-pictureQuiet) {
				picture.SetColorIndex(x, y, 1)
			}
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, picture); err != nil {
		return nil, fmt.Errorf("qr code: %w", err)
	}
	return b.Bytes(), nil
}

// SVG returns the code as an SVG picture that refers to nothing outside itself, 8 units a module. Its title does not have
// the text: pointers hovering over it would show the secret.
func (c *Code) SVG() []byte {
	modules := c.size + 2*pictureQuiet
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" shape-rendering="crispEdges" role="img">`+"\n",
		modules*modulePixels, modules*modulePixels, modules, modules)
	b.WriteString("<title>QR code for an authenticator app</title>\n" + `<rect width="100%" height="100%" fill="#fff"/>` + "\n" + `<path d="`)
	for y := range c.size {
		for x := 0; x < c.size; x++ {
			run := 0 // dark modules side by side are one rectangle
			for c.isDark(x+run, y) {
				run++
			}
			if run > 0 {
				fmt.Fprintf(&b, "M%d %dh%dv1h-%dz", x+pictureQuiet, y+pictureQuiet, run, run)
				x += run
			}
		}
	}
	b.WriteString(`"/>` + "\n</svg>\n")
	return b.Bytes()
}
