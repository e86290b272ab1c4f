package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"twokey/device"
	"twokey/enroll"
	"twokey/factor"
	"twokey/internal/csvcell"
	"twokey/internal/phone"
	"twokey/policy"
	"twokey/secrets"
)

const (
	// usualRecovery is how many recovery codes a user gets: enough for years, and they fit on a card.
	usualRecovery = 10
	maxDeviceName = 32 // bytes
	usualDevice   = "phone"
)

func enrollCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:      "enroll",
		Usage:     "give a user a second factor",
		ArgsUsage: "[USER]",
		Description: "Makes a new secret, shows it as a QR code for an authenticator app, and makes recovery codes.\n" +
			"Without USER it is for whoever types. Secrets and codes are never arguments: they come from a file or standard input.\n" +
			"With --code it enrols nobody, and makes codes with which users enrol themselves at their next login.",
		Flags: append(deviceFlags(),
			&cli.BoolFlag{Name: "replace", Usage: "put the device in the place of those that the user has"},
			&cli.BoolFlag{Name: "add", Usage: "put the device beside those that the user has, as device add does"},
			&cli.BoolFlag{Name: "code", Usage: "make enrolment codes for USER…, and enrol nobody"},
			severalFlag(group, "--code for everybody in `GROUP` who has no device"),
			codeTimeFlag(),
			dryRunFlag(),
		),
		Action: func(c *cli.Context) error {
			if c.Bool("code") {
				return enrolmentCodesAction(c, ui)
			}
			return enrollAction(c, ui)
		},
	}
}

// deviceFlags are what enroll and device add take about the new device.
func deviceFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "device", Usage: "`NAME` of the device", DefaultText: usualDevice},
		&cli.StringFlag{Name: "method", Value: string(factor.TOTP), Usage: "`METHOD`: totp (by the time), hotp (by a counter), sms or push"},
		&cli.IntFlag{Name: "digits", Usage: "`N` digits in a code, 4 to 12", DefaultText: "new_devices in the configuration"},
		&cli.StringFlag{Name: "period", Usage: "`SECONDS` for which a code is good, 10 to 300", DefaultText: "new_devices"},
		&cli.StringFlag{Name: "algorithm", Usage: "`NAME`: SHA1, SHA256 or SHA512", DefaultText: "new_devices"},
		&cli.StringFlag{Name: "issuer", Usage: "`TEXT` that the app shows above the code", DefaultText: "issuer in the configuration, or the host's name"},
		&cli.StringFlag{Name: "label", Usage: "`TEXT` that the app shows below the code", DefaultText: "user@host"},
		&cli.StringFlag{Name: "secret-file", Usage: "take the secret, in base32, from `FILE`; - is standard input"},
		&cli.BoolFlag{Name: "allow-short", Usage: "with --secret-file: take a secret of 80 to 127 bits, of an old token"},
		&cli.StringFlag{Name: "qr", Value: "terminal", Usage: "`WHERE` to draw the QR code: terminal, none, or a new FILE.png or FILE.svg"},
		&cli.StringFlag{Name: "sheet", Usage: "write a page to print and hand over into the new `FILE.html`, and show nothing here"},
		&cli.BoolFlag{Name: "confirm", Usage: "ask for a first code, or send a request, and write nothing unless the answer is right"},
		&cli.IntFlag{Name: "recovery-codes", Usage: "make `N` recovery codes, 0 to 20", DefaultText: fmt.Sprintf("%d; none for a further device", usualRecovery)},
		&cli.StringFlag{Name: "until", Usage: "the device is good to the end of this `DATE`, as 2026-12-31"},
		&cli.StringFlag{Name: "phone", Usage: "the user's telephone `NUMBER`, as +447400123456; codes by sms go there"},
	}
}

func enrollAction(c *cli.Context, ui *ui) error {
	for _, flag := range []string{group, "for"} {
		if c.IsSet(flag) {
			return badUsage("--%s is about enrolment codes: it needs --code", flag)
		}
	}
	w, err := wishOf(c)
	if err != nil {
		return err
	}
	w.replace, w.add = c.Bool("replace"), c.Bool("add")
	if w.replace && w.add {
		return badUsage("--replace and --add are two different things")
	}
	return enrollMe(c, ui, w)
}

// enrollMe does what is wished for the user who is named, or whoever types.
func enrollMe(c *cli.Context, ui *ui, w wish) error {
	name, err := userOrMyself(c, ui)
	if err != nil {
		return err
	}
	if w.qr == byClient && ui.in.far() == nil {
		return badUsage("--qr: want terminal, none, or a file that ends in .png or .svg, not %q", w.qr)
	}
	h, err := openInForce(c, ui)
	if err != nil {
		return err
	}
	if h.actor.himself() { // nobody would see him lock himself out
		if ui.json {
			return badUsage("%s --json is for root: nobody could see the key before the first code is asked for", nameOf(c))
		}
		if w.phone != "" && w.method != device.SMS {
			return notOverSocket("--phone without --method sms", ui.typed) // a number that nothing has proven
		}
		w.confirm = true
	}
	return about(name, h.enroll(name, w))
}

// wish is what the flags say. What they do not say is empty, and comes from the configuration.
type wish struct {
	device     string // "": a name that is free
	method     factor.Method
	digits     int
	period     int // seconds
	algorithm  factor.Algorithm
	issuer     string
	label      string
	secretFile string
	allowShort bool   // of the secret in the file
	qr         string // terminal, none, or a file
	sheet      string // a file
	confirm    bool
	recovery   int // below zero: as many as are usual
	replace    bool
	add        bool
	until      policy.Date // the last day of the device; zero: it has none
	phone      string      // E.164
}

// wishOf reads the flags and refuses what is out of range before any file is looked at.
func wishOf(c *cli.Context) (wish, error) {
	w := wish{device: c.String("device"), method: factor.Method(c.String("method")), digits: c.Int("digits"), issuer: c.String("issuer"),
		label: c.String("label"), secretFile: c.String("secret-file"), qr: c.String("qr"), sheet: c.String("sheet"),
		confirm: c.Bool("confirm"), recovery: -1, phone: c.String("phone"), allowShort: c.Bool("allow-short")}
	if w.allowShort && w.secretFile == "" {
		return wish{}, badUsage("--allow-short is about a secret that there is already").hint("--secret-file FILE --allow-short")
	}
	if c.IsSet("recovery-codes") {
		w.recovery = max(0, c.Int("recovery-codes"))
		if w.recovery != c.Int("recovery-codes") || w.recovery > secrets.MaxRecoveryCodes {
			return wish{}, badUsage("--recovery-codes: %d, want 0 to %d", c.Int("recovery-codes"), secrets.MaxRecoveryCodes)
		}
	}
	if c.IsSet("device") {
		if err := checkDeviceName("--device", w.device); err != nil {
			return wish{}, err
		}
	}
	if w.sheet != "" && !c.IsSet("qr") {
		w.qr = "none" // it is on the sheet
	}
	if !slices.Contains([]string{"totp", "hotp", device.SMS, device.Push}, string(w.method)) {
		return wish{}, badUsage("--method: want totp, hotp, sms or push, not %q", visible(string(w.method)))
	}
	if w.outOfBand() {
		if err := w.checkOutOfBand(c); err != nil {
			return wish{}, err
		}
	}
	var err error
	if c.IsSet("period") {
		if w.period, err = seconds(c.String("period")); err != nil {
			return wish{}, err
		}
	}
	if c.IsSet("algorithm") {
		if w.algorithm, err = factor.ParseAlgorithm(c.String("algorithm")); err != nil {
			return wish{}, badUsage("--algorithm: %v", err)
		}
	}
	if c.IsSet("digits") && (w.digits < factor.MinDigits || w.digits > factor.MaxDigits) {
		return wish{}, badUsage("--digits: %d, want %d to %d", w.digits, factor.MinDigits, factor.MaxDigits)
	}
	if err := readDay(c, "until", &w.until); err != nil {
		return wish{}, err
	}
	return w, w.check(c.Bool("json"))
}

// checkDeviceName refuses what cannot be the name of a device.
//
// Attack: a user calls his own device =HYPERLINK(…), and the administrator opens a list of them in a spreadsheet.
func checkDeviceName(what, name string) error {
	if name == "" || len(name) > maxDeviceName || visible(name) != name {
		return badUsage("%s: want a name of 1 to %d bytes without control characters", what, maxDeviceName)
	}
	if csvcell.Escape(name) != name {
		return badUsage("%s: a name that begins with =, +, - or @ would be run by a spreadsheet", what)
	}
	return nil
}

func (w wish) check(json bool) error {
	usual := policy.NewDevices{Digits: factor.DefaultDigits, Period: factor.DefaultPeriod * time.Second, Algorithm: string(factor.SHA1)}
	p := w.params(usual, make([]byte, factor.MinSecret))
	if w.outOfBand() {
		return w.checkPhone()
	}
	if err := p.Check(); err != nil {
		return badUsage("%v", err)
	}
	if _, err := factor.URI(or(w.label, "user@host"), w.issuer, p, 0); err != nil {
		return badUsage("%v", err)
	}
	switch {
	case strings.Contains(w.issuer, ":"):
		return badUsage("--issuer: a colon would be the end of it for authenticator apps")
	case w.intoFile() && !isPicture(w.qr):
		return badUsage("--qr: want terminal, none, or a file that ends in .png or .svg, not %q", w.qr)
	case w.sheet != "" && filepath.Ext(w.sheet) != ".html":
		return badUsage("--sheet: want a file that ends in .html, not %q", w.sheet)
	case json && w.confirm && w.secretFile == "" && !w.intoFile() && w.sheet == "":
		return badUsage("--confirm with --json: nobody could see the key before").hint("add --qr FILE.png or --secret-file FILE")
	}
	return w.checkPhone()
}

func (w wish) checkPhone() error {
	if w.phone == "" {
		return nil
	}
	if err := phone.Check(w.phone); err != nil {
		return badUsage("--phone: %v", err)
	}
	return nil
}

// onPaper reports whether the sheet is to have the secret, and the screen not.
func (w wish) onPaper() bool { return w.sheet != "" && w.qr == "none" }

// intoFile reports whether the QR code goes into a file.
func (w wish) intoFile() bool { return !slices.Contains([]string{"terminal", "none", byClient}, w.qr) }

// params joins the wish and the configuration.
func (w wish) params(usual policy.NewDevices, secret []byte) factor.Params {
	p := factor.Params{Method: w.method, Secret: secret, Digits: w.digits, Period: w.period, Algorithm: w.algorithm}
	if w.outOfBand() {
		return factor.Params{Method: w.method}
	}
	if p.Digits == 0 {
		p.Digits = usual.Digits
	}
	if p.Algorithm == "" {
		p.Algorithm = factor.Algorithm(usual.Algorithm)
	}
	if p.Period == 0 && p.Method != factor.HOTP {
		p.Period = int(usual.Period / time.Second)
	}
	return p
}

// request is the wish with what the configuration and the host add.
func (w wish) request(c *policy.Config, user string, secret []byte) (enroll.Request, error) {
	host, err := os.Hostname()
	if err != nil {
		return enroll.Request{}, err
	}
	r := enroll.Request{Device: w.device, Params: w.params(c.NewDevices, secret), Issuer: or(w.issuer, or(c.Issuer, host)),
		Label: or(w.label, user+"@"+host), Recovery: w.recovery, Replace: w.replace, Add: w.add, Phone: w.phone, Provider: c.PushProvider(),
		AllowShort: w.allowShort}
	if !w.until.IsZero() {
		r.Until = w.until.End(time.Local)
	}
	return r, nil
}

// seconds reads a period: 30 or 30s.
func seconds(text string) (int, error) {
	n, err := strconv.Atoi(strings.TrimSuffix(text, "s"))
	if err != nil || n < factor.MinPeriod || n > factor.MaxPeriod {
		return 0, badUsage("--period: want %d to %d seconds, not %q", factor.MinPeriod, factor.MaxPeriod, text)
	}
	return n, nil
}
