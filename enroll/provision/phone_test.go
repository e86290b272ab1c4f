package provision

import (
	"maps"
	"testing"

	"twokey/enroll"
)

const texts = "  phone: +442079460958\n  devices:\n  - {name: texts, method: sms}\n"

func TestPhonesAreMadeForHostsElsewhere(t *testing.T) {
	b := newBench(t)
	users := "- user: alice\n" + texts + "  - {name: asks, method: push, provider: ntfy}\n- user: bob\n" + texts
	plans, _ := b.apply(users)
	for user, p := range plans {
		if p.Err != nil || p.Secret {
			t.Errorf("%s: %v, a secret is handed out: %v", user, p.Err, p.Secret)
		}
	}
	r := b.record(0, "alice")
	if r.Phone != "+442079460958" || r.PhoneConfirmed || len(r.Devices) != 2 || r.Devices[1].Method != "push" {
		t.Errorf("%v with %q", r.Devices, r.Phone)
	}
	before := b.tree()
	if _, changed := b.apply(users); len(changed) != 0 || !maps.Equal(before, b.tree()) {
		t.Errorf("a second time changed %q", changed)
	}
}

func TestANumberIsNeededForTextsElsewhereToo(t *testing.T) {
	b := newBench(t)
	plans, _ := b.apply("- user: alice\n  devices:\n  - {name: texts, method: sms}\n")
	want(t, plans["alice"].Err, enroll.ErrNoPhone)
}

func TestWhatChangesOfAPhoneElsewhere(t *testing.T) {
	b := newBench(t)
	b.apply("- user: alice\n" + texts)
	first := b.record(0, "alice")
	plans, changed := b.apply("- user: alice\n  phone: +442079460948\n  devices:\n  - {name: texts, method: sms, until: 2030-12-31}\n")
	r := b.record(0, "alice")
	if plans["alice"].Err != nil || len(changed) != 1 || r.Phone != "+442079460948" || r.Devices[0].Until.IsZero() ||
		r.Devices[0].ID != first.Devices[0].ID || r.Serial <= first.Serial {
		t.Errorf("%v: %v with %q", plans["alice"].Err, r.Devices, r.Phone)
	}
	// What is pushed goes to a topic that the device's secret makes, and only the file has that.
	b.apply("- user: bob\n  devices:\n  - {name: asks, method: push, provider: ntfy}\n")
	plans, _ = b.apply("- user: bob\n  devices:\n  - {name: asks, method: push, provider: ntfy, until: 2030-12-31}\n")
	want(t, plans["bob"].Err, ErrSealed)
	plans, _ = b.apply("- user: bob\n  devices:\n  - {name: asks, method: push, provider: ntfy, until: 2030-12-31}\n", "bob")
	want(t, plans["bob"].Err, nil)
}

func TestAnAppBecomesAPhoneElsewhere(t *testing.T) {
	b := newBench(t)
	b.apply("- user: alice\n" + token)
	plans, _ := b.apply("- user: alice\n  phone: +442079460958\n  devices:\n  - {name: token, method: sms}\n", "alice")
	want(t, plans["alice"].Err, nil)
	if d := b.record(0, "alice").Devices[0]; d.Method != "sms" || d.Digits != 0 || d.Algorithm != "" {
		t.Errorf("%+v, %d digits", d, d.Digits)
	}
	plans, _ = b.apply("- user: alice\n  phone: +442079460958\n  devices:\n  - {name: token, method: totp, secret: "+given+"}\n", "alice")
	want(t, plans["alice"].Err, nil)
	if d := b.record(0, "alice").Devices[0]; d.Method != "totp" || d.Digits != 6 || d.Period != 30 {
		t.Errorf("%+v, %d digits", d, d.Digits)
	}
}
