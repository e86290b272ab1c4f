package batch

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"twokey/enroll"
)

// A device whose time is over would have its owner asked for codes that are never right; but a list is applied after its days too.
func TestADayThatIsOverIsRefusedForADeviceThatIsMadeAndLeftAloneInOneThatIsThere(t *testing.T) {
	j := newJob(t)
	now := time.Date(2027, 6, 30, 12, 0, 0, 0, time.Local)
	j.Users.Now = func() time.Time { return now }
	const list = "- user: user1\n  devices:\n  - {name: phone, until: 2027-06-30}\n  - {name: other, until: 2027-12-31}\n"
	applied(t, j, list)
	now = now.AddDate(0, 0, 1)
	if p := applied(t, j, list)[0]; !p.Idle() {
		t.Errorf("the same list on the day after: %v", p.Changes)
	}
	for yaml, want := range map[string]string{
		"- user: user2\n  devices:\n  - until: 2027-06-30\n":                "device \"phone\": until: 2027-06-30 is over, today is 2027-07-01",
		"- user: user2\n  devices:\n  - until: 2027-07-01T00:00:00Z\n":      "is over, today is 2027-07-01",
		"- user: user1\n  devices:\n  - {name: third, until: 2020-01-01}\n": "device \"third\": until: 2020-01-01 is over",
		"- user: user1\n  devices:\n  - {digits: 8, until: 2027-06-30}\n":   "device \"phone\": until: 2027-06-30 is over",
		"- user: user1\n  devices:\n  - {name: other, until: 2027-06-29}\n": "device \"other\": until: 2027-06-29 is over",
	} {
		p := plans(j, parse(t, "x.yaml", "version: 1\nusers:\n"+yaml))[0]
		if p.Err == nil || !strings.Contains(p.Err.Error(), want) || LineOf(p.Err, p.User.Line) != 5 {
			t.Errorf("%q: %v in line %d, want %s", yaml, p.Err, LineOf(p.Err, p.User.Line), want)
		}
	}
	j.Expired = true
	applied(t, j, "- user: user2\n  devices:\n  - until: 2027-06-30\n")
	if d := record(t, j, "user2").Devices[0]; !d.Until.Equal(time.Date(2027, 7, 1, 0, 0, 0, 0, time.Local)) {
		t.Errorf("carried over with the end %s", d.Until)
	}
}

func TestWhatIsWrongWithADeviceIsToldAtItsLine(t *testing.T) {
	j := newJob(t)
	applied(t, j, "- user: user1\n  devices:\n  - {name: old, secret: "+rfcSecret+"}\n  - {name: p, method: push, provider: ntfy}\n")
	for csv, want := range map[string]error{
		"user2,a," + rfcSecret + ",,\nuser2,b," + rfcSecret + ",,\n": enroll.ErrSameSecret,
		"user1,a,,,\nuser1,b," + rfcSecret + ",,\n":                  enroll.ErrSameSecret,
		"user1,a,,,\nuser1,b,,push,duo\n":                            enroll.ErrSamePhone,
		"user2,a,,,\nuser2,b,,sms,\n":                                enroll.ErrNoPhone,
	} {
		p := plans(j, parse(t, "x.csv", "user,device,secret,method,provider\n"+csv))[0]
		if !errors.Is(p.Err, want) || LineOf(p.Err, p.User.Line) != 3 {
			t.Errorf("%q: %v in line %d, want %v in line 3", csv, p.Err, LineOf(p.Err, p.User.Line), want)
		}
	}
	if p := plans(j, parse(t, "x.csv", "user\nnobody\n"))[0]; LineOf(p.Err, p.User.Line) != 2 {
		t.Errorf("%v", p.Err)
	}
}

// Who has left could link a phone by the code that he was sent before.
func TestAnEnrolmentCodeOfWhoIsToBeAbsentEnds(t *testing.T) {
	j := newJob(t)
	const list = "- user: user1\n  present: false\n- user: user2\n  present: false\n"
	applied(t, j, "- user: user2\n")
	who := enroll.Account{Name: "user1", UID: 10001}
	code, _, err := j.Users.NewCode(who, time.Hour)
	must(t, err)
	all := applied(t, j, list)
	if got := changesOf(all[0]); !slices.Equal(got, []string{"enrolment_code: open -> ended"}) || all[0].Ends {
		t.Errorf("%q, a device ends: %t", got, all[0].Ends)
	}
	if got := changesOf(all[1]); !slices.Equal(got, []string{"second_factor: enrolled -> none"}) {
		t.Errorf("%q", got)
	}
	if err := j.Users.CheckCode(who, code); !errors.Is(err, enroll.ErrNoCode) {
		t.Errorf("the code: %v", err)
	}
	for _, p := range applied(t, j, list) {
		if !p.Idle() {
			t.Errorf("again: %v", p.Changes)
		}
	}
}
