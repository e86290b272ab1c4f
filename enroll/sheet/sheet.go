// Package sheet makes the page that is handed to a user: one HTML file, to be printed on one side of A4 or Letter, with the QR code of
// a device, its key, the way to an app, recovery codes to tick off, and whom to ask. It opens no files; whoever writes one must create
// it with mode 0600, since the page is the secret.
//
// MUST:
//   - The page is complete in itself: it names no script, picture, font, style sheet or link, and its Content-Security-Policy forbids
//     all of them but its own style, by its hash. Nobody learns when it is opened, and nothing that a name smuggles in can run.
//   - What people choose (names, issuer, label, contact) stands in it as text, whatever is in it.
//   - The secret stands on the page only: not in its title, which browsers keep in their history and print on the margin.
package sheet

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the template and the style
	"encoding/base64"
	"fmt"
	"html/template"
	"strings"
	"time"
	"unicode"

	"twokey/device"
	"twokey/enroll/qr"
	"twokey/factor"
	"twokey/secrets"
)

// Data is what is on the page.
type Data struct {
	User          string         // the account: alice
	FullName      string         // as the name service has it; "": nothing
	Host          string         // where the device is good
	Device        secrets.Device // with its secret; Created is the date of the page, Until, when it is set, the end of the device
	URI           string         // its otpauth address
	RecoveryCodes []string       // none: the page has no such part
	Contact       string         // whom to ask, in the words of a sentence: "the IT desk"; "": not said
	HelpURL       string         // is shown, and no link; "": not said
	Language      string         // "de", or else English
}

// Page makes the page, of UTF-8. Its only error is an address that no QR code can hold ([qr.Encode]).
func Page(d Data) ([]byte, error) {
	code, err := qr.Encode(d.URI)
	if err != nil {
		return nil, err
	}
	t := textsIn(d.Language)
	v := view{T: t, Policy: contentPolicy(style), Style: template.CSS(style), QR: template.HTML(code.SVG()),
		User: shown(d.User), FullName: shown(d.FullName), Host: shown(d.Host), Device: shown(d.Device.Name),
		Issuer: shown(d.Device.Issuer), Label: shown(d.Device.Label), Key: factor.GroupSecret(factor.EncodeSecret(d.Device.Secret)),
		Kind: t.kind(d.Device), Timed: d.Device.Method != string(factor.HOTP), Digits: d.Device.Digits, Period: d.Device.Period,
		Made: day(d.Device.Created), Until: lastDay(d.Device.Until), Codes: d.RecoveryCodes, Contact: shown(d.Contact), HelpURL: shown(d.HelpURL)}
	var b bytes.Buffer
	if err := page.Execute(&b, v); err != nil {
		return nil, fmt.Errorf("sheet: %w", err)
	}
	return b.Bytes(), nil
}

// view is what the template shows.
type view struct {
	T                             texts
	Policy                        string
	Style                         template.CSS
	QR                            template.HTML // our own drawing
	User, FullName, Host          string
	Device, Issuer, Label         string
	Key, Kind                     string
	Timed                         bool
	Digits, Period                int
	Made, Until, Contact, HelpURL string
	Codes                         []string
}

var (
	//go:embed page.html
	source string
	//go:embed page.css
	style string

	page = template.Must(template.New("page").Parse(source))
)

// contentPolicy forbids whatever a page can load or run, but for the style with this text.
func contentPolicy(style string) string {
	hash := sha256.Sum256([]byte(style))
	return "default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) + "'"
}

// kind describes the codes: apps that take the key by hand ask for it.
func (t texts) kind(d secrets.Device) string {
	p := device.Params(d)
	if p.Method == factor.HOTP {
		return fmt.Sprintf(t.ByCounter, p.Digits, p.Algorithm)
	}
	return fmt.Sprintf(t.ByTime, p.Digits, p.Period, p.Algorithm)
}

// day is written the way that means the same day everywhere; "" for none.
func day(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format(time.DateOnly)
}

// lastDay is the day that ends at a moment, or in which it lies; "" for no end.
func lastDay(end time.Time) string {
	if end.IsZero() {
		return ""
	}
	return day(end.Add(-time.Nanosecond))
}

// shown replaces what is not to be seen, such as a character that turns the direction of writing: users choose their own names (chfn).
func shown(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}
