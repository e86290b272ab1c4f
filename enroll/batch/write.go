package batch

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	"twokey/factor"
	"twokey/internal/csvcell"
)

// Write writes what Parse reads, in YAML. Applied where it was written, the file changes nothing.
func (f *File) Write(to io.Writer) error {
	w := &writer{out: bufio.NewWriter(to)}
	w.line("version: 1")
	if len(f.Users) > 0 {
		w.line("users:")
	}
	for i := range f.Users {
		w.user(&f.Users[i])
	}
	if len(f.Groups) > 0 {
		w.line("groups:")
	}
	for i := range f.Groups {
		w.group(&f.Groups[i])
	}
	return w.out.Flush()
}

// writer remembers the first error in its buffer.
type writer struct{ out *bufio.Writer }

func (w *writer) line(text string) { w.out.WriteString(text + "\n") }

// field writes a value, unless it is empty.
func (w *writer) field(before, name, value string) {
	if value != "" {
		w.line(before + name + ": " + scalar(value))
	}
}

func (w *writer) user(u *User) {
	w.field("- ", "user", u.Name)
	if u.Absent {
		w.field("  ", "present", "false")
	}
	for _, value := range u.values()[2:] {
		w.field("  ", value.name, value.text)
	}
	w.dates("require", u.Require)
	w.dates("exempt", u.Exempt)
	switch {
	case len(u.Devices) > 0:
		w.line("  devices:")
	case u.NoDevice:
		w.line("  devices: []")
	}
	for i := range u.Devices {
		before := "  - "
		for _, value := range u.Devices[i].values() {
			if value.text != "" {
				w.field(before, value.name, value.text)
				before = "    "
			}
		}
	}
}

func (w *writer) group(g *Group) {
	w.field("- ", "group", g.Name)
	if g.Absent {
		w.field("  ", "present", "false")
	}
	w.dates("require", g.Require)
	w.dates("exempt", g.Exempt)
	if g.Device == nil {
		return
	}
	w.line("  device:")
	for _, value := range g.Device.values() {
		w.field("    ", value.name, value.text)
	}
}

func (w *writer) dates(name string, d *Dates) {
	if d == nil {
		return
	}
	var given []string
	for _, value := range []value{{"by", d.By}, {"starts", d.Starts}, {"until", d.Until}} {
		if value.text != "" {
			given = append(given, value.name+": "+value.text)
		}
	}
	w.line("  " + name + ": {" + strings.Join(given, ", ") + "}")
}

// value is a field as it is written; "": not given.
type value struct{ name, text string }

// values are in the order of userColumns.
func (u *User) values() []value {
	all := []value{{"user", u.Name}, {"present", ""}, {"phone", ""}, {"recovery_codes", ""}}
	if u.Absent {
		all[1].text = "false"
	}
	if u.Phone != nil {
		all[2].text = *u.Phone
		if *u.Phone == "" {
			all[2].text = none
		}
	}
	if u.Recovery != nil {
		all[3].text = strconv.Itoa(*u.Recovery)
	}
	return all
}

// values are in the order of deviceColumns.
func (d *Device) values() []value {
	all := []value{{"name", d.Name}, {"present", ""}, {"secret", ""}, {"method", string(d.Method)}, {"digits", plainInt(d.Digits)},
		{"period", ""}, {"algorithm", string(d.Algorithm)}, {"counter", ""}, {"issuer", d.Issuer}, {"label", d.Label}, {"until", ""},
		{"provider", d.Provider}}
	if d.Absent {
		all[1].text = "false"
	}
	if d.Secret != nil {
		all[2].text = factor.EncodeSecret(d.Secret)
	}
	if d.Period != 0 {
		all[5].text = plainInt(d.Period) + "s"
	}
	if d.Counter != nil {
		all[7].text = strconv.FormatUint(*d.Counter, 10)
	}
	if d.Until != nil {
		all[10].text = writtenUntil(*d.Until)
	}
	return all
}

// writtenUntil is what until reads: the day that ends at a midnight, and any other moment as it is.
func writtenUntil(end time.Time) string {
	here := end.Local()
	switch {
	case end.IsZero():
		return never
	case here.Equal(time.Date(here.Year(), here.Month(), here.Day(), 0, 0, 0, 0, time.Local)):
		return here.AddDate(0, 0, -1).Format(time.DateOnly)
	}
	return end.UTC().Format(time.RFC3339)
}

// cell is the value in CSV. A telephone number is one, whatever a spreadsheet takes it for.
func (v value) cell() string {
	if v.name == "phone" {
		return v.text
	}
	return csvcell.Escape(v.text)
}

func plainInt(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// plainScalar needs no quotation marks in YAML, where the empty one and null are nothing.
var plainScalar = regexp.MustCompile(`^[A-Za-z0-9+_][A-Za-z0-9+_/.@-]*$`)

func scalar(text string) string {
	if plainScalar.MatchString(text) && !strings.EqualFold(text, "null") {
		return text
	}
	var b strings.Builder
	e := json.NewEncoder(&b) // for printable text the same as YAML in quotation marks
	e.SetEscapeHTML(false)
	if err := e.Encode(text); err != nil {
		return strconv.Quote(text)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// WriteCSV writes the users of the file, with all columns, and nothing that a spreadsheet runs; of groups, and of what users are
// required to, CSV has no word.
func (f *File) WriteCSV(to io.Writer) error {
	w := csv.NewWriter(to)
	if err := w.Write(append(append([]string{}, userColumns...), deviceColumns...)); err != nil {
		return err
	}
	for i := range f.Users {
		u := &f.Users[i]
		devices := u.Devices
		if len(devices) == 0 && !u.Absent {
			return fmt.Errorf("%s: CSV has no word for a user without a device", u.Name)
		}
		if u.Absent {
			devices = []Device{{}}
		}
		for k := range devices {
			var cells []string
			for _, value := range append(u.values(), devices[k].values()...) {
				cells = append(cells, value.cell())
			}
			if err := w.Write(cells); err != nil {
				return err
			}
		}
	}
	w.Flush()
	return w.Error()
}
