package batch

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"twokey/enroll"
)

const texts = "  phone: +442079460958\n  devices:\n  - {name: texts, method: sms}\n  - {name: asks, method: push, provider: ntfy, until: 2030-12-31}\n"

func TestPhonesInAFileAreMadeOnceAndNothingIsHandedOut(t *testing.T) {
	j := newJob(t)
	p := applied(t, j, "- user: user1\n  recovery_codes: 0\n"+texts)[0]
	want := []string{"device:  -> texts (sms)", "device:  -> asks (push)", "device asks until:  -> 2030-12-31", "phone:  -> +442079460958"}
	if got := changesOf(p); !slices.Equal(got, want) || p.Secret || p.Codes != nil {
		t.Errorf("%q, a secret is handed out: %v", got, p.Secret)
	}
	r := record(t, j, "user1")
	if r.Phone != "+442079460958" || r.PhoneConfirmed || !slices.Equal(deviceNames(t, j, "user1"), []string{"texts", "asks"}) {
		t.Errorf("%v, phone %q, confirmed: %v", r, r.Phone, r.PhoneConfirmed)
	}
	if p := applied(t, j, "- user: user1\n"+texts)[0]; !p.Idle() {
		t.Errorf("a second time: %q", p.Changes)
	}
	if again := record(t, j, "user1"); again.Serial != r.Serial {
		t.Error("a second time the file was written")
	}
}

func TestPhonesBesideAndInThePlaceOfOtherDevices(t *testing.T) {
	j := newJob(t)
	for _, step := range []struct {
		yaml    string
		devices []string
		wrong   error
	}{
		{"- user: user1\n  recovery_codes: 0\n", []string{"phone"}, nil},
		{"- user: user1\n  devices:\n  - {name: texts, method: sms}\n", []string{"phone"}, enroll.ErrNoPhone},
		{"- user: user1\n" + texts, []string{"phone", "texts", "asks"}, nil},
		{"- user: user1\n  devices:\n  - {name: more, method: push, provider: ntfy}\n", []string{"phone", "texts", "asks"}, enroll.ErrSamePhone},
		{"- user: user1\n  phone: none\n", []string{"phone", "texts", "asks"}, enroll.ErrNoPhone},
		{"- user: user1\n  phone: none\n  devices:\n  - {name: texts, present: false}\n", []string{"phone", "asks"}, nil},
		{"- user: user1\n  devices:\n  - {name: asks, present: false}\n  - {name: more, method: push, provider: ntfy}\n", []string{"phone", "more"}, nil},
		{"- user: user1\n  devices:\n  - {name: phone, method: totp}\n  - {name: more, method: totp}\n", []string{"phone", "more"}, nil},
		{"- user: user1\n  phone: +442079460948\n  devices:\n  - {name: phone, method: sms}\n", []string{"more", "phone"}, nil},
	} {
		all, err := apply(j, parse(t, "x.yaml", "version: 1\nusers:\n"+step.yaml))
		must(t, err)
		if got := all[0].Err; !errors.Is(got, step.wrong) || (got == nil) != (step.wrong == nil) {
			t.Errorf("%q: %v, want %v", step.yaml, got, step.wrong)
		}
		if got := deviceNames(t, j, "user1"); !slices.Equal(got, step.devices) {
			t.Errorf("%q: %q, want %q", step.yaml, got, step.devices)
		}
	}
}

func TestANewUserWithoutANumberGetsNoTexts(t *testing.T) {
	j := newJob(t)
	all, err := apply(j, parse(t, "x.yaml", "version: 1\nusers:\n- user: user1\n  devices:\n  - method: sms\n- user: user2\n"))
	must(t, err)
	if !errors.Is(all[0].Err, enroll.ErrNoPhone) || all[1].Err != nil {
		t.Errorf("%v, and of another user %v", all[0].Err, all[1].Err)
	}
	if enrolled, err := j.Users.Secrets.Enrolled("user1"); enrolled || err != nil {
		t.Errorf("enrolled: %v, %v", enrolled, err)
	}
}

func TestPhonesAreExportedWithoutTheirSecretsAndAppliedAgain(t *testing.T) {
	j := newJob(t)
	applied(t, j, "- user: user1\n"+texts)
	u, err := Export(j.Users, "user1", true)
	must(t, err)
	for _, write := range map[string]func(*File, *bytes.Buffer) error{
		"x.yaml": func(f *File, b *bytes.Buffer) error { return f.Write(b) },
		"x.csv":  func(f *File, b *bytes.Buffer) error { return f.WriteCSV(b) },
	} {
		var b bytes.Buffer
		must(t, write(&File{Users: []User{u}}, &b))
		for _, d := range record(t, j, "user1").Devices {
			if bytes.Contains(b.Bytes(), d.Secret) {
				t.Errorf("the secret of %q stands in the file", d.Name)
			}
		}
		name := "x.yaml"
		if !strings.HasPrefix(b.String(), "version") {
			name = "x.csv"
		}
		f, err := Parse(name, &b, Options{Location: time.Local})
		must(t, err)
		if len(f.Wrong) > 0 || len(f.Users) != 1 {
			t.Fatalf("%s: %v", name, f.Wrong)
		}
		if p := j.Plan(&f.Users[0]); p.Err != nil || !p.Idle() {
			t.Errorf("%s, where it was written: %v, %q", name, p.Err, p.Changes)
		}
	}
}

// A file that does not say it links phones with the provider of the host; one without a provider can link none.
func TestPhonesAreLinkedWithTheProviderOfTheHost(t *testing.T) {
	j := newJob(t)
	asks := "- user: user1\n  recovery_codes: 0\n  devices:\n  - {name: asks, method: push}\n"
	if all, err := apply(j, parse(t, "x.yaml", "version: 1\nusers:\n"+asks)); err != nil || !errors.Is(all[0].Err, enroll.ErrNoProvider) {
		t.Fatalf("%v", err)
	}
	for _, step := range []struct{ host, yaml, becomes string }{
		{"ntfy", asks, "ntfy"},
		{"duo", asks, "ntfy"},
		{"duo", strings.Replace(asks, "method: push", "method: push, provider: duo", 1), "duo"},
	} {
		j.Usual.Provider = step.host
		applied(t, j, step.yaml)
		if d := record(t, j, "user1").Devices[0]; d.Provider != step.becomes {
			t.Errorf("on a host of %s: %q", step.host, d.Provider)
		}
	}
	exported, err := Export(j.Users, "user1", false)
	if err != nil || exported.Devices[0].Provider != "duo" {
		t.Errorf("%+v, %v", exported, err)
	}
}
