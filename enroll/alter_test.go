package enroll

import (
	"errors"
	"os"
	"reflect"
	"testing"
	"time"

	"twokey/device"
	"twokey/factor"
	"twokey/secrets"
	"twokey/state"
)

// adding asks for a device beside the others.
func adding(name string) Request {
	r := usual()
	r.Device, r.Add, r.Recovery, r.By = name, true, 0, "root (carol)"
	return r
}

// drafts makes devices that are not in force.
func drafts(t *testing.T, u *Users, a Account, names ...string) []*Draft {
	t.Helper()
	var all []*Draft
	for _, name := range names {
		d, err := u.Draft(a, adding(name))
		must(t, err)
		all = append(all, d)
	}
	return all
}

func namesOf(r *secrets.Record) []string {
	var names []string
	for _, d := range r.Devices {
		names = append(names, d.Name)
	}
	return names
}

func TestAlterDoesAllOfItInOneStep(t *testing.T) {
	u, _ := scratch(t)
	first := enrolled(t, u, alice, usual())
	end, number := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC), "+442079460958"
	must(t, u.Alter(alice, Alteration{Add: drafts(t, u, alice, "token", "tablet"), Until: map[string]time.Time{"phone": end}, Phone: &number}))
	record, err := u.Secrets.Load("alice")
	must(t, err)
	if got := namesOf(record); !reflect.DeepEqual(got, []string{"phone", "token", "tablet"}) || !record.Devices[0].Until.Equal(end) ||
		record.Phone != number || len(record.Recovery.Hashes) != len(first.RecoveryCodes) {
		t.Errorf("%q, until %v, phone %q, %v", got, record.Devices[0].Until, record.Phone, record.Recovery)
	}
	again := drafts(t, u, alice, "phone")
	must(t, u.Alter(alice, Alteration{Remove: []string{"phone", "tablet"}, Add: again}))
	if record, err = u.Secrets.Load("alice"); err != nil || !reflect.DeepEqual(namesOf(record), []string{"token", "phone"}) {
		t.Errorf("%q, %v", namesOf(record), err)
	}
	if login(u, alice, code(t, u, first, 0)) == nil {
		t.Error("the device that was replaced lets in")
	}
	must(t, login(u, alice, code(t, u, again[0], 0)))
	st, err := u.State.Read("alice")
	must(t, err)
	if len(st.Devices) != 2 || st.Device(state.ID(again[0].Device.ID)) == nil || st.Serial != record.Serial {
		t.Errorf("the state has %d devices and serial %d", len(st.Devices), st.Serial)
	}
}

func TestAlterChangesNothingWhenAnyOfItCannotBe(t *testing.T) {
	tests := map[string]struct {
		alter func(t *testing.T, u *Users, had *Draft) Alteration
		want  error
	}{
		"no such device to remove": {func(*testing.T, *Users, *Draft) Alteration {
			return Alteration{Remove: []string{"tablet"}}
		}, ErrNoDevice},
		"no such device to end": {func(*testing.T, *Users, *Draft) Alteration {
			return Alteration{Until: map[string]time.Time{"tablet": {}}}
		}, ErrNoDevice},
		"the last device": {func(*testing.T, *Users, *Draft) Alteration {
			return Alteration{Remove: []string{"phone"}}
		}, ErrLastDevice},
		"a name that stays": {func(t *testing.T, u *Users, _ *Draft) Alteration {
			return Alteration{Add: drafts(t, u, alice, "token", "phone")}
		}, ErrDeviceName},
		"the secret of the device that goes": {func(t *testing.T, u *Users, had *Draft) Alteration {
			r := adding("phone")
			r.Params.Secret = had.Device.Secret
			d, err := u.Draft(alice, r)
			must(t, err)
			return Alteration{Remove: []string{"phone"}, Add: []*Draft{d}}
		}, ErrSameSecret},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			u, _ := scratch(t)
			had := enrolled(t, u, alice, usual())
			before, err := u.Secrets.Load("alice")
			must(t, err)
			want(t, u.Alter(alice, test.alter(t, u, had)), test.want)
			after, err := u.Secrets.Load("alice")
			must(t, err)
			if !reflect.DeepEqual(before, after) {
				t.Error("something has changed")
			}
			must(t, login(u, alice, code(t, u, had, 0)))
		})
	}
}

func TestAlterIsForWhoIsEnrolledUnderThisNumber(t *testing.T) {
	u, _ := scratch(t)
	want(t, u.Alter(alice, Alteration{}), ErrNotEnrolled)
	enrolled(t, u, alice, usual())
	want(t, u.Alter(Account{"alice", 4711}, Alteration{}), ErrOtherUID)
}

func TestAShortSecretIsTakenOnlyWhenThatWasAskedFor(t *testing.T) {
	u, _ := scratch(t)
	r := usual()
	r.Params.Secret = []byte("0123456789")
	_, err := u.Draft(alice, r)
	want(t, err, factor.ErrShortSecret)
	r.AllowShort = true
	d := enrolled(t, u, alice, r)
	must(t, login(u, alice, code(t, u, d, 0)))
	r.Params.Secret = []byte("012345678")
	if _, err := u.Draft(alice, r); err == nil {
		t.Error("a secret of 72 bits was taken")
	}
}

// The attack: two runs at once give codes to who has none, and those that the first has handed out are dead.
func TestRecoveryCodesThatWereDrawnReplaceNone(t *testing.T) {
	u, _ := scratch(t)
	first := enrolled(t, u, alice, usual())
	before, err := u.Secrets.Load("alice")
	must(t, err)
	c := Alteration{Add: drafts(t, u, alice, "token")}
	codes, err := c.DrawRecovery(7)
	must(t, err)
	want(t, u.Alter(alice, c), ErrHasRecovery)
	after, err := u.Secrets.Load("alice")
	must(t, err)
	if !reflect.DeepEqual(before, after) || c.DrewRecovery(after) {
		t.Error("something has changed")
	}
	want(t, login(u, alice, codes[0]), device.ErrWrong)
	must(t, login(u, alice, first.RecoveryCodes[0]))
}

func TestRecoveryCodesThatWereDrawnCountFromTheAlterationOn(t *testing.T) {
	u, data := scratch(t)
	r := usual()
	r.Recovery = 0
	first := enrolled(t, u, alice, r)
	var c Alteration
	codes, err := c.DrawRecovery(7)
	must(t, err)
	want(t, login(u, alice, codes[0]), device.ErrWrong)
	must(t, u.Alter(alice, c))
	for _, recovery := range codes {
		must(t, login(u, alice, recovery))
		want(t, login(u, alice, recovery), device.ErrReplayed)
	}
	must(t, login(u, alice, code(t, u, first, 0)))

	if record, err := u.Secrets.Load("alice"); err != nil || !c.DrewRecovery(record) || (&Alteration{}).DrewRecovery(record) {
		t.Errorf("%v, %v", record, err)
	}

	must(t, os.Remove(data+"/state/alice"))
	want(t, login(u, alice, "0000000"), device.ErrWrong)
	if _, err = c.DrawRecovery(7); !errors.Is(u.Alter(alice, c), device.ErrRestored) || err != nil {
		t.Errorf("a user whose state was restored gets codes: %v", err)
	}
}
