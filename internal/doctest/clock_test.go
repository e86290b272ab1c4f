package doctest

import (
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"twokey/device"
	"twokey/factor"
	"twokey/policy"
	"twokey/secrets"
	"twokey/state"
)

// example is one line of the table of codes.
type example struct {
	phone          time.Time // what the phone takes for the time
	code           string
	lastUsed       string // "": none
	accepted, zone bool   // zone: the phone is in another one than UTC
}

// examples reads the table.
func examples(t *testing.T) (host time.Time, secret string, all []example) {
	t.Helper()
	b, err := os.ReadFile("../../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	setting := regexp.MustCompile("(?s)The secret of these examples is `([A-Z2-7]+)`.*?The host's clock says\n([0-9-]+ [0-9:]+ UTC)").FindStringSubmatch(text)
	if setting == nil {
		t.Fatal("the secret and the clock of the examples are not found")
	}
	host, err = time.Parse("2006-01-02 15:04:05 MST", setting[2])
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(text, "| the phone's clock says | code | last used | result |\n")
	line := regexp.MustCompile("(?m)^\\| ([0-9-]+ [0-9:]+) (UTC|[+-]\\d\\d:\\d\\d)(?:: [^|]*)? \\| `(\\d+)` \\|(?: `(\\d+)`)? \\| (accepted|refused) \\|$")
	for _, found := range line.FindAllStringSubmatch(table, -1) {
		phone, err := time.Parse("2006-01-02 15:04:05 Z07:00", found[1]+" "+strings.Replace(found[2], "UTC", "Z", 1))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, example{phone, found[3], found[4], found[5] == "accepted", found[2] != "UTC"})
	}
	return host, setting[1], all
}

func TestTheCodesOfTheDocument(t *testing.T) {
	host, secret, all := examples(t)
	accepted, refused, abroad := 0, 0, 0
	for _, e := range all {
		key, err := factor.DecodeSecret(secret)
		if err != nil {
			t.Fatal(err)
		}
		phone := secrets.Device{ID: secrets.ID{1}, Name: "phone", Method: "totp", Secret: key, Digits: 6, Period: 30, Algorithm: "SHA1", Created: host}
		if shown, err := device.Params(phone).Code(device.Params(phone).Step(e.phone)); err != nil || shown != e.code {
			t.Errorf("a phone that takes it for %s shows %s, and not %s: %v", e.phone, shown, e.code, err)
		}
		set := join(t, phone)
		if e.lastUsed != "" {
			if _, err := set.Code(factor.ParseAnswer(e.lastUsed), host, "192.0.2.7"); err != nil {
				t.Errorf("%s cannot have been used: %v", e.lastUsed, err)
			}
		}
		_, err = set.Code(factor.ParseAnswer(e.code), host, "192.0.2.7")
		if (err == nil) != e.accepted || e.lastUsed != "" && !errors.Is(err, device.ErrReplayed) {
			t.Errorf("%s of a phone that takes it for %s: %v", e.code, e.phone, err)
		}
		switch {
		case e.accepted && e.zone:
			abroad++
			accepted++
		case e.accepted:
			accepted++
		default:
			refused++
		}
	}
	if accepted != 4 || refused != 4 || abroad != 1 {
		t.Errorf("%d accepted, %d of them in another zone, %d refused: some are not found", accepted, abroad, refused)
	}
}

// The page says the discrepancy that its examples have, which is the default.
func join(t *testing.T, phone secrets.Device) *device.Set {
	t.Helper()
	c, err := policy.Parse(policy.Default())
	if err != nil {
		t.Fatal(err)
	}
	set, err := device.Join(&state.State{User: "alice", UID: 1000}, &secrets.Record{User: "alice", Serial: 1, Devices: []secrets.Device{phone}}, c.Discrepancy, phone.Created)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// What the page says of several hosts: each has a state of its own.
func TestOneSecretOnTwoHostsTakesACodeOnceOnEach(t *testing.T) {
	host, secret, all := examples(t)
	key, err := factor.DecodeSecret(secret)
	if err != nil {
		t.Fatal(err)
	}
	phone := secrets.Device{ID: secrets.ID{1}, Name: "phone", Method: "totp", Secret: key, Digits: 6, Period: 30, Algorithm: "SHA1", Created: host}
	one, other := join(t, phone), join(t, phone)
	answer := factor.ParseAnswer(all[0].code)
	for name, set := range map[string]*device.Set{"one": one, "the other": other} {
		if _, err := set.Code(answer, host, "192.0.2.7"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := set.Code(answer, host, "192.0.2.7"); !errors.Is(err, device.ErrReplayed) {
			t.Errorf("%s, again: %v", name, err)
		}
	}
}
