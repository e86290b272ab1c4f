package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"twokey/enroll"
	"twokey/factor"
	"twokey/policy"
	"twokey/secrets"
)

const (
	// usualRecovery is how many recovery codes a user gets: enough for years, and they fit on a card.
	usualRecovery = 10
	maxDeviceName = 32 // bytes
)

func enrollCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:      "enroll",
		Usage:     "give a user a second factor",
		ArgsUsage: "[USER]",
		Description: "Makes a new secret, shows it as a QR code for an authenticator app, and makes recovery codes.\n" +
			"Without USER it is for whoever types. Secrets and codes are never arguments: they come from a file or standard input.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "device", Value: "phone", Usage: "`NAME` of the device"},
			&cli.StringFlag{Name: "method", Value: string(factor.TOTP), Usage: "`METHOD`: totp (by the time) or hotp (by a counter)"},
			&cli.IntFlag{Name: "digits", Usage: "`N` digits in a code, 4 to 12", DefaultText: "new_devices in the configuration"},
			&cli.StringFlag{Name: "period", Usage: "`SECONDS` for which a code is good, 10 to 300", DefaultText: "new_devices"},
			&cli.StringFlag{Name: "algorithm", Usage: "`NAME`: SHA1, SHA256 or SHA512", DefaultText: "new_devices"},
			&cli.StringFlag{Name: "issuer", Usage: "`TEXT` that the app shows above the code", DefaultText: "issuer in the configuration, or the host's name"},
			&cli.StringFlag{Name: "label", Usage: "`TEXT` that the app shows below the code", DefaultText: "user@host"},
			&cli.StringFlag{Name: "secret-file", Usage: "take the secret, in base32, from `FILE`; - is standard input"},
			&cli.StringFlag{Name: "qr", Value: "terminal", Usage: "`WHERE` to draw the QR code: terminal, none, or a new FILE.png or FILE.svg"},
			&cli.BoolFlag{Name: "confirm", Usage: "ask for a first code, and write nothing unless it is right"},
			&cli.IntFlag{Name: "recovery-codes", Value: usualRecovery, Usage: "make `N` recovery codes, 0 to 20"},
			&cli.BoolFlag{Name: "replace", Usage: "put the device in the place of those that the user has"},
			dryRunFlag(),
		},
		Action: func(c *cli.Context) error { return enrollAction(c, ui) },
	}
}

func enrollAction(c *cli.Context, ui *ui) error {
	w, err := wishOf(c)
	if err != nil {
		return err
	}
	name, err := userOrMyself(c, ui)
	if err != nil {
		return err
	}
	h, err := openInForce(c, ui)
	if err != nil {
		return err
	}
	return about(name, h.enroll(name, w))
}

// wish is what the flags say. What they do not say is empty, and comes from the configuration.
type wish struct {
	device     string
	method     factor.Method
	digits     int
	period     int // seconds
	algorithm  factor.Algorithm
	issuer     string
	label      string
	secretFile string
	qr         string // terminal, none, or a file
	confirm    bool
	recovery   int
	replace    bool
}

// wishOf reads the flags and refuses what is out of range before any file is looked at.
func wishOf(c *cli.Context) (wish, error) {
	w := wish{device: c.String("device"), method: factor.Method(c.String("method")), digits: c.Int("digits"), issuer: c.String("issuer"),
		label: c.String("label"), secretFile: c.String("secret-file"), qr: c.String("qr"), confirm: c.Bool("confirm"),
		recovery: c.Int("recovery-codes"), replace: c.Bool("replace")}
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
	return w, w.check(c.Bool("json"))
}

func (w wish) check(json bool) error {
	usual := policy.NewDevices{Digits: factor.DefaultDigits, Period: factor.DefaultPeriod * time.Second, Algorithm: string(factor.SHA1)}
	p := w.params(usual, make([]byte, factor.MinSecret))
	if err := p.Check(); err != nil {
		return badUsage("%v", err)
	}
	if _, err := factor.URI(or(w.label, "user@host"), w.issuer, p, 0); err != nil {
		return badUsage("%v", err)
	}
	switch picture := filepath.Ext(w.qr); {
	case w.device == "" || len(w.device) > maxDeviceName || visible(w.device) != w.device:
		return badUsage("--device: want a name of 1 to %d bytes without control characters", maxDeviceName)
	case strings.Contains(w.issuer, ":"):
		return badUsage("--issuer: a colon would be the end of it for authenticator apps")
	case w.recovery < 0 || w.recovery > secrets.MaxRecoveryCodes:
		return badUsage("--recovery-codes: %d, want 0 to %d", w.recovery, secrets.MaxRecoveryCodes)
	case w.qr != "terminal" && w.qr != "none" && picture != ".png" && picture != ".svg":
		return badUsage("--qr: want terminal, none, or a file that ends in .png or .svg, not %q", w.qr)
	case json && w.confirm && w.secretFile == "" && !w.intoFile():
		return badUsage("--confirm with --json: nobody could see the key before").hint("add --qr FILE.png or --secret-file FILE")
	}
	return nil
}

// intoFile reports whether the QR code goes into a file.
func (w wish) intoFile() bool { return w.qr != "terminal" && w.qr != "none" }

// params joins the wish and the configuration.
func (w wish) params(usual policy.NewDevices, secret []byte) factor.Params {
	p := factor.Params{Method: w.method, Secret: secret, Digits: w.digits, Period: w.period, Algorithm: w.algorithm}
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
	return enroll.Request{Device: w.device, Params: w.params(c.NewDevices, secret), Issuer: or(w.issuer, or(c.Issuer, host)),
		Label: or(w.label, user+"@"+host), Recovery: w.recovery, Replace: w.replace}, nil
}

// seconds reads a period: 30 or 30s.
func seconds(text string) (int, error) {
	n, err := strconv.Atoi(strings.TrimSuffix(text, "s"))
	if err != nil || n < factor.MinPeriod || n > factor.MaxPeriod {
		return 0, badUsage("--period: want %d to %d seconds, not %q", factor.MinPeriod, factor.MaxPeriod, text)
	}
	return n, nil
}
