package apps

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"twokey/audit"
	"twokey/device"
)

// noon is the name of a zone in which it is about noon, so that the day there does not change while a test runs, and of one in which it is
// about midnight.
func noon(now time.Time) (zone, opposite string) {
	east := 12 - now.UTC().Hour() // of UTC; the names of Etc count to the west
	west := east - 12
	if east <= 0 {
		west = east + 12
	}
	return fmt.Sprintf("Etc/GMT%+d", -east), fmt.Sprintf("Etc/GMT%+d", -west)
}

// hoursAround are two hours before and after now, by the clock in the zone.
func hoursAround(t *testing.T, now time.Time, zone string) string {
	t.Helper()
	place, err := time.LoadLocation(zone)
	must(t, err)
	at := func(d time.Duration) string { return now.In(place).Add(d).Format("15:04") }
	// The policy wants a day to end at 24:00.
	return strings.ReplaceAll(at(-2*time.Hour)+"-"+at(2*time.Hour), "-00:00", "-24:00")
}

// Rules that deny at some hours, on some days, in a zone of their own.
func TestRulesTellTheTime(t *testing.T) {
	t.Parallel()
	now := time.Now()
	zone, opposite := noon(now)
	place, err := time.LoadLocation(zone)
	must(t, err)
	weekday := func(days int) string {
		return strings.ToLower(now.In(place).AddDate(0, 0, days).Weekday().String()[:3])
	}
	hours := hoursAround(t, now, zone)
	for i, c := range []struct {
		name, when string
		denied     bool
	}{
		{"hours that hold now", "hours: ['" + hours + "'], zone: " + zone, true},
		{"the same hours in a zone that is half a day off", "hours: ['" + hours + "'], zone: " + opposite, false},
		{"one of several hours holds now", "hours: ['" + hours + "', '00:00-00:01'], zone: " + zone, true},
		{"hours that do not hold now", "hours: ['" + hours[6:] + "-" + hours[:5] + "'], zone: " + zone, false},
		{"the weekday of today", "weekdays: [" + weekday(0) + "], zone: " + zone, true},
		{"the weekdays before and after", "weekdays: [" + weekday(-1) + ", " + weekday(1) + "], zone: " + zone, false},
		{"the weekday of today at hours that hold now", "weekdays: [" + weekday(0) + "], hours: ['" + hours + "'], zone: " + zone, true},
		{"hours that hold now on another weekday", "weekdays: [" + weekday(3) + "], hours: ['" + hours + "'], zone: " + zone, false},
		{"hours that hold now in the zone of the host", "hours: ['" + hoursAround(t, now, "Local") + "']", true},
	} {
		t.Run(c.name+map[bool]string{true: " deny", false: " do not deny"}[c.denied], func(t *testing.T) {
			t.Parallel()
			s, people := newSite(t, "default: exempt\nrules: [{name: closed, "+c.when+", then: deny}]", 1)
			v := s.visitor(people[0], "123456").visit(t, s.Sshd())
			if v.in() == c.denied {
				t.Fatalf("case %d: let in: %v at %v", i, v.in(), now)
			}
			if !c.denied {
				v.mustShow(t, asksPassword)
				return
			}
			v.mustShow(t, asksPassword, asksCode, refuses)
			if got := s.reasons(people[0], "login"); len(got) != 1 || !strings.HasPrefix(got[0], "about everybody at ") {
				t.Errorf("recorded as %q", got)
			}
		})
	}
}

// Days of require and exempt, two days off: so none of them begins or ends while the test runs.
func TestDaysOfThePolicy(t *testing.T) {
	t.Parallel()
	s, people := newSite(t, "", 8)
	const require, exempt = "require", "exempt"
	cases := []struct {
		name, list, days string
		in               bool
		reason           string // of the session, or of the login
	}{
		{"required from the day before yesterday on", require, "starts: " + day(-2), false, "no device is enrolled"},
		{"required from the day after tomorrow on", require, "starts: " + day(2), true, "optional; "},
		{"required until the day before yesterday", require, "until: " + day(-2), true, "optional; "},
		{"required until the day after tomorrow", require, "until: " + day(2), false, "no device is enrolled"},
		{"in without a device until the day after tomorrow", require, "by: " + day(2), true, "grace until " + day(2)},
		{"in without a device until the day before yesterday", require, "by: " + day(-2), false, "no device is enrolled"},
		{"exempt until the day after tomorrow", exempt, "until: " + day(2), true, "exempt by exempt["},
		{"exempt until the day before yesterday", exempt, "until: " + day(-2), false, "no device is enrolled"},
	}
	lists := map[string]string{}
	for i, c := range cases {
		lists[c.list] += fmt.Sprintf("  - {users: [%s], %s}\n", people[i].Name, c.days)
		if c.list == exempt {
			lists[require] += fmt.Sprintf("  - {users: [%s], starts: 2020-01-01}\n", people[i].Name)
		}
	}
	s.Configure("require:\n" + lists[require] + "exempt:\n" + lists[exempt])
	sshd := s.Sshd()
	for i, c := range cases {
		p := people[i]
		t.Run("who is "+c.name, func(t *testing.T) {
			t.Parallel()
			v := s.visitor(p, "123456").visit(t, sshd)
			if c.in {
				v.mustShow(t, asksPassword)
				v.mustWork(t, p)
				s.mustHaveOpened(t, p, "none", c.reason)
			} else {
				v.mustShow(t, asksPassword, asksCode, refuses)
				s.mustHaveReason(t, p, c.reason)
			}
		})
	}
}

// A real group of the host: whoever is a member, and whose own group it is.
func TestRulesAboutAGroup(t *testing.T) {
	t.Parallel()
	s, people := newSite(t, "", 6)
	staff, own, guest, away, robot, nobody := s.enrol(people[0]), people[1], s.enrol(people[2]), s.enrol(people[3]), people[4], people[5]
	first := people[0].UID + 100
	s.group("staff-"+staff.Name, first, staff, away)
	s.group("guests-"+staff.Name, first+1, guest)
	s.group("robots-"+staff.Name, first+2, robot)
	s.Configure(strings.ReplaceAll("default: exempt\n"+
		"exempt: [{groups: [robots-N]}]\n"+
		"require: [{groups: [robots-N, staff-N], starts: 2020-01-01}, {groups: ["+own.Name+"]}]\n"+
		"rules:\n  - {groups: [guests-N], then: deny}\n"+
		"  - {users: ["+away.Name+"], groups: [no-such-group], then: exempt}\n", "-N", "-"+staff.Name))
	sshd := s.Sshd()
	for _, c := range []struct {
		name   string
		person *person
		shown  []round
		in     bool
	}{
		{"a member of a required group is asked", staff, []round{asksPassword, asksCode}, true},
		{"who has a required group as his own is asked", own, []round{asksPassword, asksCode, refuses}, false},
		{"a member of a denied group is refused", guest, []round{asksPassword, asksCode, refuses}, false},
		{"users and groups of a rule are an either-or", away, []round{asksPassword}, true},
		{"a member of an exempt group is not asked", robot, []round{asksPassword}, true},
		{"who is no member of any is as the default says", nobody, []round{asksPassword}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			code := "123456"
			if c.person.phone != nil {
				code = c.person.code(t, 0)
			}
			v := s.visitor(c.person, code).visit(t, sshd)
			v.mustShow(t, c.shown...)
			if v.in() != c.in {
				t.Errorf("let in: %v, want %v", v.in(), c.in)
			}
		})
	}
}

// A rule can say which methods count: then a code on paper is no code.
func TestRulesAboutMethods(t *testing.T) {
	t.Parallel()
	s, people := newSite(t, "", 3)
	phoneOnly, paperOnly, plain := s.enrol(people[0]), s.enrol(people[1]), s.enrol(people[2])
	s.Configure("rules:\n  - {users: [" + phoneOnly.Name + "], then: required, methods: [totp]}\n" +
		"  - {users: [" + paperOnly.Name + "], then: required, methods: [recovery]}\n")
	sshd := s.Sshd()
	for _, c := range []struct {
		name   string
		person *person
		code   string
		in     bool
		reason string
	}{
		{"methods: [totp] refuses a recovery code", phoneOnly, phoneOnly.phone.RecoveryCodes[0], false, device.ErrMethod.Error()},
		{"methods: [totp] takes a code of the phone", phoneOnly, phoneOnly.code(t, 0), true, "right code"},
		{"methods: [recovery] refuses a code of the phone", paperOnly, paperOnly.code(t, 0), false, device.ErrMethod.Error()},
		{"methods: [recovery] takes a recovery code", paperOnly, paperOnly.phone.RecoveryCodes[0], true, "recovery code; 3 left"},
		{"no rule takes a recovery code", plain, plain.phone.RecoveryCodes[0], true, "recovery code; 3 left"},
	} {
		v := s.visitor(c.person, c.code).visit(t, sshd)
		if v.in() != c.in {
			t.Errorf("%s: let in: %v", c.name, v.in())
		}
		records := s.records(c.person)
		last := records[len(records)-1]
		if c.in {
			v.mustWork(t, c.person)
			continue
		}
		v.mustShow(t, asksPassword, asksCode, refuses)
		if last.Outcome != audit.Failure || last.Reason != c.reason {
			t.Errorf("%s: recorded as %s, %q", c.name, last.Outcome, last.Reason)
		}
	}
	if left := s.state(phoneOnly).Recovery.Left(); left != 4 {
		t.Errorf("the refused recovery code was used up: %d left", left)
	}
}
