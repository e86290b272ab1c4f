package qr

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"strings"
	"testing"
)

// sign is the number sign of the text console: IBM's VGA font of 8 by 16 pixels, a row in each byte.
var sign = [16]byte{3: 0x6c, 4: 0x6c, 5: 0xfe, 6: 0x6c, 7: 0x6c, 8: 0x6c, 9: 0xfe, 10: 0x6c, 11: 0x6c}

// console is what a text console shows of lines of number signs: white on black, with a border of plain screen.
func console(text string) *image.Gray {
	const wide, high, border = 8, 16, 24
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	screen := image.NewGray(image.Rect(0, 0, len(lines[0])*wide+2*border, len(lines)*high+2*border))
	for row, line := range lines {
		for column, glyph := range line {
			for i := range wide * high {
				if x, y := i%wide, i/wide; glyph == '#' && sign[y]&(0x80>>x) != 0 {
					screen.SetGray(border+column*wide+x, border+row*high+y, color.Gray{Y: 255})
				}
			}
		}
	}
	return screen
}

// photograph is a picture as a camera takes it that is not near enough for single pixels: each is the mean of those within so many of it.
func photograph(t *testing.T, screen *image.Gray, within int) []byte {
	t.Helper()
	photo := image.NewGray(screen.Rect)
	for i := range photo.Pix {
		x, y := i%photo.Stride, i/photo.Stride
		around := image.Rect(x-within, y-within, x+within+1, y+within+1).Intersect(screen.Rect)
		sum := 0
		for y := around.Min.Y; y < around.Max.Y; y++ {
			for x := around.Min.X; x < around.Max.X; x++ {
				sum += int(screen.GrayAt(x, y).Y)
			}
		}
		photo.Pix[i] = uint8(sum / (around.Dx() * around.Dy()))
	}
	var b bytes.Buffer
	if err := png.Encode(&b, photo); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// On the text console, and wherever else there are no half blocks, a terminal has 80 columns.
func TestTheUsualAddressInNumberSignsFitsInto80ColumnsAndIsReadBack(t *testing.T) {
	all := texts(t)
	var want []string
	var photos [][]byte
	for _, name := range []string{"a usual address", "no issuer", "an account of a domain"} {
		c := encode(t, all[name])
		lines := strings.Split(strings.TrimSuffix(c.Wide(), "\n"), "\n")
		for _, line := range lines {
			if len(line) != c.WideWidth() || len(line) > 80 || strings.Trim(line, "# ") != "" {
				t.Fatalf("%s: %d columns, %d are needed: %q", name, len(line), c.WideWidth(), line)
			}
		}
		if quiet := strings.Repeat("#", c.WideWidth()); lines[0] != quiet || lines[len(lines)-1] != quiet || len(lines) != c.WideWidth()/2 {
			t.Errorf("%s: %d lines, or no quiet zone", name, len(lines))
		}
		want, photos = append(want, all[name]), append(photos, photograph(t, console(c.Wide()), 4))
	}
	for i, got := range scan(t, photos) {
		if got != want[i] {
			t.Errorf("got %q, want %q", got, want[i])
		}
	}
}
