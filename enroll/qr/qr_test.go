package qr

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"twokey/factor"
)

// address returns the otpauth address of a device.
func address(t *testing.T, account, issuer string, p factor.Params) string {
	t.Helper()
	uri, err := factor.URI(account, issuer, p, 7)
	if err != nil {
		t.Fatal(err)
	}
	return uri
}

// texts are what is drawn and read back: addresses with everything that can be in one, and other texts.
func texts(t *testing.T) map[string]string {
	totp := func(a factor.Algorithm, secret, digits, period int) factor.Params {
		return factor.Params{Method: factor.TOTP, Secret: bytes.Repeat([]byte{0xa5, 7}, secret/2), Digits: digits, Period: period, Algorithm: a}
	}
	usual := totp(factor.SHA1, 20, 6, 30)
	hotp := factor.Params{Method: factor.HOTP, Secret: usual.Secret, Digits: 8, Algorithm: factor.SHA256}
	all := map[string]string{
		"a usual address":               address(t, "alice@web1", "Example Ltd", usual),
		"no issuer":                     address(t, "alice@web1", "", usual),
		"issuer with an ampersand":      address(t, "alice@web1", "Smith & Sons", usual),
		"issuer with umlauts":           address(t, "jürgen@web1", "Müller Söhne & Töchter", usual),
		"issuer with everything":        address(t, "alice@web1", `100% / A+B: "x"=<y>?#`, usual),
		"issuer in Japanese":            address(t, "alice@web1", "株式会社例", usual),
		"a long account":                address(t, strings.Repeat("long.account.", 17)+"@host.example.org", "Example Ltd", usual),
		"an account of a domain":        address(t, `EXAMPLE\alice`, "Example Ltd", usual),
		"hotp":                          address(t, "alice@web1", "Example Ltd", hotp),
		"the longest address":           address(t, strings.Repeat("ü", 128), strings.Repeat("&", 128), totp(factor.SHA512, 128, 12, 300)),
		"a text in capitals and digits": "HELLO 123",
		"digits":                        "0123456789",
		"one character":                 "x",
	}
	periods := []int{factor.MinPeriod, 30, 60, factor.MaxPeriod}
	for _, algorithm := range []factor.Algorithm{factor.SHA1, factor.SHA256, factor.SHA512} {
		for digits := factor.MinDigits; digits <= factor.MaxDigits; digits++ {
			period := periods[len(all)%len(periods)]
			p := totp(algorithm, 20+4*digits, digits, period)
			all[fmt.Sprintf("%s, %d digits, %d s", algorithm, digits, period)] = address(t, "alice@web1", "Example Ltd", p)
		}
	}
	return all
}

// encode is Encode of a text that can be drawn.
func encode(t *testing.T, text string) *Code {
	t.Helper()
	c, err := Encode(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// pngOf returns the code as PNG.
func pngOf(t *testing.T, c *Code) []byte {
	t.Helper()
	picture, err := c.PNG()
	if err != nil {
		t.Fatal(err)
	}
	return picture
}

// rendered draws the code's SVG as librsvg does.
func rendered(t *testing.T, c *Code) []byte {
	t.Helper()
	cmd := exec.Command("rsvg-convert")
	cmd.Stdin = bytes.NewReader(c.SVG())
	picture, err := cmd.Output()
	if err != nil {
		t.Fatalf("rsvg-convert: %v", err)
	}
	return picture
}

// screenshot draws terminal text as a terminal does: cells of 8 by 16 pixels and a border of plain screen.
func screenshot(t *testing.T, text string, ink, paper color.Gray) []byte {
	t.Helper()
	const cellWidth, cellHeight, border = 8, 16, 24
	inked := bytes.Repeat([]byte{ink.Y}, cellWidth)
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	width := utf8.RuneCountInString(lines[0])*cellWidth + 2*border
	screen := image.NewGray(image.Rect(0, 0, width, len(lines)*cellHeight+2*border))
	for i := range screen.Pix {
		screen.Pix[i] = paper.Y
	}
	halves := map[rune][2]bool{' ': {}, '▀': {true, false}, '▄': {false, true}, '█': {true, true}}
	for row, line := range lines {
		for column, glyph := range []rune(line) {
			drawn, known := halves[glyph]
			if !known {
				t.Fatalf("character %q on the screen", glyph)
			}
			for y := range cellHeight {
				if drawn[y*2/cellHeight] {
					copy(screen.Pix[screen.PixOffset(border+column*cellWidth, border+row*cellHeight+y):], inked)
				}
			}
		}
	}
	var b bytes.Buffer
	quick := png.Encoder{CompressionLevel: png.NoCompression}
	if err := quick.Encode(&b, screen); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

var black, white = color.Gray{}, color.Gray{Y: 255}

// pictures are the ways a code can be looked at.
var pictures = map[string]func(*testing.T, *Code) []byte{
	"png":                      pngOf,
	"svg":                      rendered,
	"terminal, white on black": func(t *testing.T, c *Code) []byte { return screenshot(t, c.Terminal(false), white, black) },
	"terminal, black on white": func(t *testing.T, c *Code) []byte { return screenshot(t, c.Terminal(true), black, white) },
}

// scan reads PNG pictures back with zbarimg, all in one go, in their order; "" where there is not exactly one QR code.
func scan(t *testing.T, pictures [][]byte, options ...string) []string {
	t.Helper()
	dir := t.TempDir()
	args := append(options, "--quiet", "--xml", "--nodbus")
	for i, picture := range pictures {
		file := filepath.Join(dir, fmt.Sprintf("%d.png", i))
		if err := os.WriteFile(file, picture, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, file)
	}
	out, err := exec.Command("zbarimg", args...).Output()
	if err != nil {
		t.Fatalf("zbarimg: %v\n%s", err, out)
	}
	var found struct {
		Sources []struct {
			Symbols []struct {
				Type string `xml:"type,attr"`
				Data string `xml:"data"`
			} `xml:"index>symbol"`
		} `xml:"source"`
	}
	if err := xml.Unmarshal(out, &found); err != nil {
		t.Fatal(err)
	}
	texts := make([]string, len(pictures))
	for i, source := range found.Sources {
		if len(source.Symbols) == 1 && source.Symbols[0].Type == "QR-Code" {
			texts[i] = source.Symbols[0].Data
		}
	}
	return texts
}

func TestEveryPictureIsReadBackByZbarimg(t *testing.T) {
	var names, want []string
	var codes []*Code
	for name, text := range texts(t) {
		names, want, codes = append(names, name), append(want, text), append(codes, encode(t, text))
	}
	for how, draw := range pictures {
		t.Run(how, func(t *testing.T) {
			var drawn [][]byte
			for _, c := range codes {
				drawn = append(drawn, draw(t, c))
			}
			for i, got := range scan(t, drawn) {
				if got != want[i] {
					t.Errorf("%s: got %q, want %q", names[i], got, want[i])
				}
			}
		})
	}
	if len(codes) != 40 {
		t.Errorf("%d codes were drawn, want 40", len(codes))
	}
}

func TestAReaderThatTriesNegativesReadsEitherDrawingOnEitherScreen(t *testing.T) {
	text := texts(t)["issuer with umlauts"]
	c := encode(t, text)
	drawn := [][]byte{screenshot(t, c.Terminal(false), black, white), screenshot(t, c.Terminal(true), white, black)}
	for i, got := range scan(t, drawn, "-Stest-inverted") {
		if got != text {
			t.Errorf("drawing %d: got %q, want %q", i, got, text)
		}
	}
}

func TestEncodeRefusesAndDoesNotRepeatTheText(t *testing.T) {
	for name, text := range map[string]string{
		"no text":           "",
		"one byte too many": strings.Repeat("s", MaxText+1),
		"a megabyte":        strings.Repeat("s", 1<<20),
		"an umlaut":         "Gr\u00fc\u00dfe",
		"not UTF-8":         "otpauth\xff",
		"a line break":      "a\nb",
		"digits, which would fit in another mode": strings.Repeat("5", MaxText+1),
	} {
		c, err := Encode(text)
		if err == nil || c != nil || len(err.Error()) > 100 || strings.Contains(err.Error(), "ss") {
			t.Errorf("%s: got %v and %v, want a short error", name, c, err)
		}
	}
	if c := encode(t, strings.Repeat("s", MaxText)); c.size != 177 {
		t.Errorf("the longest text has %d modules a side, want 177 (version 40)", c.size)
	}
}

func TestTheUsualAddressFitsATerminalOf80By25(t *testing.T) {
	c := encode(t, texts(t)["a usual address"])
	lines := strings.Count(c.Terminal(false), "\n")
	if c.Width() > 80 || lines > 25 {
		t.Errorf("%d columns by %d lines", c.Width(), lines)
	}
}

func TestTerminalHasWidthCellsInEveryLineAndAQuietZone(t *testing.T) {
	for _, inverse := range []bool{false, true} {
		c := encode(t, texts(t)["a usual address"])
		text := c.Terminal(inverse)
		if !strings.HasSuffix(text, "\n") || strings.ContainsAny(text, "\x1b\r\t") {
			t.Errorf("inverse %v: no line end, or a control character", inverse)
		}
		lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
		if want := (c.Width() + 1) / 2; len(lines) != want {
			t.Errorf("inverse %v: %d lines, want %d", inverse, len(lines), want)
		}
		light, last := "█", "▀"
		if inverse {
			light, last = " ", " "
		}
		for i, line := range lines {
			if n := utf8.RuneCountInString(line); n != c.Width() {
				t.Errorf("inverse %v: line %d has %d cells, want %d", inverse, i, n, c.Width())
			}
			want := light + light
			if i == len(lines)-1 {
				want = last + last
			}
			if !strings.HasPrefix(line, want) || !strings.HasSuffix(line, want) {
				t.Errorf("inverse %v: line %d has no quiet zone: %q", inverse, i, line)
			}
		}
		if want := strings.Repeat(light, c.Width()); lines[0] != want {
			t.Errorf("inverse %v: no quiet zone above: %q", inverse, lines[0])
		}
	}
}

func TestTerminalOfTheSmallestCode(t *testing.T) {
	c := &Code{size: 3, dark: []bool{true, false, true, false, true, false, true, true, true}}
	want := "" +
		"███████\n" +
		"██▄▀▄██\n" +
		"██▄▄▄██\n" +
		"▀▀▀▀▀▀▀\n"
	if got := c.Terminal(false); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	inverse := "" +
		"       \n" +
		"  ▀▄▀  \n" +
		"  ▀▀▀  \n" +
		"       \n"
	if got := c.Terminal(true); got != inverse {
		t.Errorf("inverse: got\n%swant\n%s", got, inverse)
	}
}

func TestPNGHas8PixelsAModuleAndAQuietZoneOf4(t *testing.T) {
	c := encode(t, "x")
	picture, err := png.Decode(bytes.NewReader(pngOf(t, c)))
	if err != nil {
		t.Fatal(err)
	}
	if side := (21 + 8) * 8; picture.Bounds() != image.Rect(0, 0, side, side) {
		t.Errorf("got %v, want %d pixels a side", picture.Bounds(), side)
	}
	for y := range 29 * 8 {
		for x := range 29 * 8 {
			red, _, _, _ := picture.At(x, y).RGBA()
			if want := c.isDark(x/8-4, y/8-4); (red == 0) != want {
				t.Fatalf("pixel %d,%d: got %d, want dark %v", x, y, red, want)
			}
		}
	}
	if !c.isDark(0, 0) || c.isDark(-1, 0) || c.isDark(0, 21) || c.isDark(7, 7) {
		t.Error("the finder pattern or the quiet zone is not where it must be")
	}
}

func TestSVGIsWellFormedSelfContainedAndDoesNotSpellTheSecret(t *testing.T) {
	text := texts(t)["a usual address"]
	svg := encode(t, text).SVG()
	var parsed struct {
		XMLName xml.Name `xml:"http://www.w3.org/2000/svg svg"`
		ViewBox string   `xml:"viewBox,attr"`
		Title   string   `xml:"title"`
		Path    struct {
			D string `xml:"d,attr"`
		} `xml:"path"`
	}
	if err := xml.Unmarshal(svg, &parsed); err != nil {
		t.Fatal(err)
	}
	if parsed.Title == "" || !strings.HasPrefix(parsed.ViewBox, "0 0 ") || parsed.Path.D == "" {
		t.Errorf("title %q, viewBox %q, or an empty path", parsed.Title, parsed.ViewBox)
	}
	for _, outside := range []string{"href", "<image", "<script", "<style", "url(", "otpauth", "secret", "alice"} {
		if bytes.Contains(svg, []byte(outside)) {
			t.Errorf("%s is in the picture", outside)
		}
	}
}
