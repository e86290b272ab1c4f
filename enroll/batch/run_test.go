package batch

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"twokey/device"
	"twokey/enroll"
	"twokey/factor"
	"twokey/secrets"
	"twokey/state"
)

// deviceNames are those of the secret file, which the state must know too.
func deviceNames(t *testing.T, j *Job, user string) []string {
	t.Helper()
	st, err := j.Users.State.Read(user)
	must(t, err)
	var names []string
	for _, d := range record(t, j, user).Devices {
		names = append(names, d.Name)
		if st.Device(state.ID(d.ID)) == nil {
			t.Errorf("%s: the state does not know the device %s", user, d.Name)
		}
	}
	if len(st.Devices) != len(names) {
		t.Errorf("%s: the state has %d devices, the secret file %d", user, len(st.Devices), len(names))
	}
	return names
}

// changesOf are those of one plan, as text.
func changesOf(p *Plan) (all []string) {
	for _, c := range p.Done {
		all = append(all, fmt.Sprintf("%s: %s -> %s", c.Field, c.Old, c.New))
	}
	return all
}

func TestWhatAFileSaysIsDone(t *testing.T) {
	j := newJob(t)
	const phone = "phone (totp, 6 digits, every 30 s, SHA1)"
	steps := []struct {
		yaml    string
		changes []string
		devices []string
	}{
		{"- user: user1\n", []string{"device:  -> " + phone, "recovery_codes:  -> 3"}, []string{"phone"}},
		{"- user: user1\n  devices: []\n", nil, []string{"phone"}},
		{"- user: user1\n  devices:\n  - {method: totp, digits: 6, period: 30, algorithm: sha1, issuer: other, until: never}\n", nil, []string{"phone"}},
		{"- user: user1\n  devices:\n  - {name: token, method: hotp, counter: 3, until: 2030-12-31}\n",
			[]string{"device:  -> token (hotp, 6 digits, SHA1)", "device token until:  -> 2030-12-31"}, []string{"phone", "token"}},
		{"- user: user1\n  phone: +442079460958\n  devices:\n  - {name: token, until: 2030-06-30}\n",
			[]string{"device token until: 2030-12-31 -> 2030-06-30", "phone:  -> +442079460958"}, []string{"phone", "token"}},
		{"- user: user1\n  phone: none\n", []string{"phone: +442079460958 -> "}, []string{"phone", "token"}},
		{"- user: user1\n  devices:\n  - digits: 8\n", []string{"device: " + phone + " -> phone (totp, 8 digits, every 30 s, SHA1)"}, []string{"token", "phone"}},
		{"- user: user1\n  devices:\n  - {digits: 8, secret: " + rfcSecret + "}\n",
			[]string{"device: phone (totp, 8 digits, every 30 s, SHA1) -> phone (totp, 6 digits, every 30 s, SHA1)"}, nil},
		{"- user: user1\n  devices:\n  - {name: phone, present: false}\n  - {name: tablet, present: false}\n",
			[]string{"device: phone (totp, 8 digits, every 30 s, SHA1) -> "}, []string{"token"}},
		{"- user: user1\n  present: false\n", []string{"second_factor: enrolled -> none"}, nil},
	}
	for _, step := range steps {
		all := applied(t, j, step.yaml)
		if strings.Contains(step.yaml, rfcSecret) { // another secret and nothing else
			if got := changesOf(all[0]); len(got) != 1 || !strings.HasSuffix(got[0], ", another secret") {
				t.Errorf("%q: %q", step.yaml, got)
			}
		} else if got := changesOf(all[0]); !slices.Equal(got, step.changes) {
			t.Errorf("%q:\n%q, want\n%q", step.yaml, got, step.changes)
		}
		if step.devices != nil {
			if got := deviceNames(t, j, "user1"); !slices.Equal(got, step.devices) {
				t.Errorf("%q: devices %q, want %q", step.yaml, got, step.devices)
			}
		}
		for _, p := range plans(j, parse(t, "x.yaml", "version: 1\nusers:\n"+step.yaml)) {
			if p.Err != nil || !p.Idle() {
				t.Errorf("%q again: %v, %v", step.yaml, p.Err, p.Changes)
			}
		}
	}
}

func TestRecoveryCodesStayWhenDevicesChange(t *testing.T) {
	j := newJob(t)
	applied(t, j, "- user: user1\n  recovery_codes: 5\n")
	before := record(t, j, "user1").Recovery
	applied(t, j, "- user: user1\n  recovery_codes: 7\n  devices:\n  - digits: 8\n  - name: token\n")
	if after := record(t, j, "user1").Recovery; len(before.Hashes) != 5 || !reflect.DeepEqual(before, after) {
		t.Errorf("%v became %v", before, after)
	}
	applied(t, j, "- user: user2\n  recovery_codes: 0\n")
	if set := record(t, j, "user2").Recovery; set != nil {
		t.Errorf("%v", set)
	}
	p := applied(t, j, "- user: user2\n  recovery_codes: 4\n")[0]
	if set := record(t, j, "user2").Recovery; set == nil || len(set.Hashes) != 4 || !p.Loose || !p.Secret {
		t.Errorf("%v, %+v", set, p)
	}
}

func TestAGivenSecretIsTheDevice(t *testing.T) {
	j := newJob(t)
	applied(t, j, "- user: user1\n  devices:\n  - {secret: "+rfcSecret+", method: hotp, digits: 8, counter: 9}\n")
	d := record(t, j, "user1").Devices[0]
	st, err := j.Users.State.Read("user1")
	must(t, err)
	if code, err := device.Params(d).Code(9); err != nil || code != "45520489" || st.Devices[0].Consumed != 9 { // RFC 4226, appendix D
		t.Errorf("%s, %v, next counter %d", code, err, st.Devices[0].Consumed)
	}
}

func TestRowsThatCannotBeDone(t *testing.T) {
	j := newJob(t)
	applied(t, j, "- user: user1\n- user: user2\n  devices:\n  - secret: "+rfcSecret+"\n")
	before := record(t, j, "user2")
	for yaml, want := range map[string]error{
		"- user: nobody\n": errNobody,
		"- user: user1\n  devices:\n  - present: false\n":                                                            ErrNoneLeft,
		"- user: user2\n  devices:\n  - {name: token, secret: " + rfcSecret + "}\n":                                  enroll.ErrSameSecret,
		"- user: user3\n  devices:\n  - {secret: " + rfcSecret + "}\n  - {name: token, secret: " + rfcSecret + "}\n": enroll.ErrSameSecret,
		"- user: user1\n  devices:\n" + strings.Join(names(10), ""):                                                  ErrManyDevices,
		"- user: user3\n  devices: []\n  phone: +442079460958\n":                                                     nil,
	} {
		all, err := apply(j, parse(t, "x.yaml", "version: 1\nusers:\n"+yaml+"- user: user4\n"))
		must(t, err)
		if all[0].Err == nil || want != nil && !errors.Is(all[0].Err, want) || len(all[0].Done) > 0 || all[1].Err != nil {
			t.Errorf("%q: %v and %v, want %v", yaml, all[0].Err, all[1].Err, want)
		}
	}
	if after := record(t, j, "user2"); !reflect.DeepEqual(before, after) {
		t.Error("user2 was changed")
	}
	if there, err := j.Users.Secrets.Enrolled("user3"); err != nil || there {
		t.Errorf("user3 is enrolled: %v, %v", there, err)
	}
}

// names are devices d0, d1 and so on.
func names(n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("  - name: d%d\n", i))
	}
	return all
}

func TestAUserOfAnotherNumberIsLeftAlone(t *testing.T) {
	j := newJob(t)
	applied(t, j, "- user: user1\n")
	j.Lookup = func(name string) (enroll.Account, error) { return enroll.Account{Name: name, UID: 4711}, nil }
	for _, yaml := range []string{"- user: user1\n", "- user: user1\n  devices:\n  - digits: 8\n"} {
		if p := plans(j, parse(t, "x.yaml", "version: 1\nusers:\n"+yaml))[0]; !errors.Is(p.Err, enroll.ErrOtherUID) {
			t.Errorf("%v", p.Err)
		}
	}
	applied(t, j, "- user: other\n") // has the number now
	j.Lookup = lookup
	must(t, j.Users.Unenroll("user1"))
	j.Lookup = func(name string) (enroll.Account, error) { return enroll.Account{Name: name, UID: 4711}, nil }
	if p := plans(j, parse(t, "x.yaml", "version: 1\nusers:\n- user: user1\n"))[0]; !errors.Is(p.Err, enroll.ErrOtherName) {
		t.Errorf("%v", p.Err)
	}
}

func TestTheCallerIsAskedBeforeAnythingIsInForceAndToldInOrder(t *testing.T) {
	j := newJob(t)
	const users, size = 43, 20
	var b strings.Builder
	for i := range users {
		fmt.Fprintf(&b, "- user: user%d\n", i)
	}
	todo := plans(j, parse(t, "x.yaml", "version: 1\nusers:\n"+b.String()))
	refused := errors.New("this page could not be written")
	var told []string
	must(t, j.run(todo, Steps{
		Made: func(some []*Plan) {
			for _, p := range some {
				there, err := j.Users.Secrets.Enrolled(p.User.Name)
				if there || err != nil || len(p.Drafts) != 1 || len(p.Codes) != 3 || p.Drafts[0].URI == "" {
					t.Errorf("%s: %v, %v", p.User.Name, there, err)
				}
				if p.User.Name == "user7" {
					p.Err = refused
				}
			}
		},
		Ran: func(some []*Plan) error {
			for _, p := range some {
				there, err := j.Users.Secrets.Enrolled(p.User.Name)
				if ok := p.User.Name != "user7"; there != ok || err != nil || (p.Err == nil) != ok || (len(p.Done) == 2) != ok {
					t.Errorf("%s: %v, %v, %v", p.User.Name, there, err, p.Err)
				}
				told = append(told, p.User.Name)
			}
			return nil
		},
	}, size))
	for i, name := range told {
		if name != fmt.Sprintf("user%d", i) {
			t.Fatalf("%d. is %s", i, name)
		}
	}
	if len(told) != users {
		t.Errorf("told of %d users", len(told))
	}
	for _, p := range todo {
		if p.Drafts != nil || p.Codes != nil {
			t.Fatal("a secret is kept")
		}
	}
}

// The attack: a kill between codes that count and the sheet of paper on which they stand.
func TestRecoveryCodesOfWhoHasADeviceAreToldBeforeTheyCount(t *testing.T) {
	j := newJob(t)
	applied(t, j, "- user: user1\n  recovery_codes: 0\n- user: user2\n  recovery_codes: 0\n")
	todo := plans(j, parse(t, "x.yaml", "version: 1\nusers:\n- user: user1\n  recovery_codes: 4\n- user: user2\n  recovery_codes: 4\n"))
	refused := errors.New("nobody could be told")
	asked := 0
	must(t, j.Run(todo, Steps{
		Made: func(some []*Plan) {
			for _, p := range some {
				if asked++; len(p.Codes) != 4 || record(t, j, p.User.Name).Recovery != nil {
					t.Errorf("%s: %d codes, and %v count", p.User.Name, len(p.Codes), record(t, j, p.User.Name).Recovery)
				}
			}
			some[1].Err = refused
		},
		Ran: func([]*Plan) error { return nil },
	}))
	if set := record(t, j, "user1").Recovery; asked != 2 || set == nil || len(set.Hashes) != 4 || len(todo[0].Done) != 1 {
		t.Errorf("asked %d times; %v, %v", asked, set, todo[0].Done)
	}
	if set := record(t, j, "user2").Recovery; set != nil || len(todo[1].Done) != 0 || todo[1].Err != refused {
		t.Errorf("%v, %v, %v", set, todo[1].Done, todo[1].Err)
	}
}

func TestEachPlanMovesOnce(t *testing.T) {
	j := newJob(t)
	applied(t, j, "- user: user3\n- user: user4\n")
	todo := plans(j, parse(t, "x.yaml", "version: 1\nusers:\n- user: user1\n- user: user2\n- {user: user3, present: false}\n- {user: user4, phone: +442079460958}\n"))
	var moved atomic.Int64
	behind := int64(0)
	must(t, j.run(todo, Steps{
		Made:  func(some []*Plan) { some[0].Err = errors.Join(some[0].Err, errNobody) },
		Moved: func(n int) { moved.Add(int64(n)) },
		Ran: func(some []*Plan) error {
			if behind += int64(len(some)); moved.Load() < behind {
				t.Errorf("%d are behind us, and %d have moved", behind, moved.Load())
			}
			return nil
		},
	}, 2))
	if moved.Load() != int64(len(todo)) {
		t.Errorf("%d of %d have moved", moved.Load(), len(todo))
	}
}

func TestAnErrorBehindTheUsersEndsTheRun(t *testing.T) {
	j := newJob(t)
	var b strings.Builder
	const size = 20
	for i := range 5 * size {
		fmt.Fprintf(&b, "- user: user%d\n  recovery_codes: 0\n", i)
	}
	full := errors.New("the log could not be written")
	told := 0
	err := j.run(plans(j, parse(t, "x.yaml", "version: 1\nusers:\n"+b.String())), Steps{Made: func([]*Plan) {}, Ran: func(some []*Plan) error {
		told += len(some)
		return full
	}}, size)
	users, listErr := j.Users.Secrets.Users()
	if !errors.Is(err, full) || listErr != nil || len(users) != told || told != 2*size {
		t.Errorf("%v; %d users are enrolled, %v, and %d were told of", err, len(users), listErr, told)
	}
}

// randomFile is about a few users, so that later ones change what earlier ones have made.
func randomFile(r *rand.Rand) *File {
	f := &File{Name: "random"}
	for i := range 8 {
		u := User{Line: i, Name: fmt.Sprintf("user%d", i)}
		switch r.IntN(6) {
		case 0:
			continue
		case 1:
			u.Absent = true
		default:
			randomUser(r, &u)
		}
		if u.check() == nil {
			f.Users = append(f.Users, u)
		}
	}
	return f
}

func randomUser(r *rand.Rand, u *User) {
	if r.IntN(2) == 0 {
		number := []string{"", "+442079460958", "+12025550123"}[r.IntN(3)]
		u.Phone = &number
	}
	if r.IntN(3) == 0 {
		n := r.IntN(4)
		u.Recovery = &n
	}
	for _, name := range []string{"phone", "token", "tablet"} {
		d := Device{Name: name}
		switch r.IntN(5) {
		case 0:
			d.Absent = true
		case 1, 2:
			d.Digits = 6 + r.IntN(3)
			if r.IntN(3) == 0 {
				d.Method = factor.HOTP
			}
			if r.IntN(3) == 0 {
				d.Secret = bytes.Repeat([]byte{byte(r.IntN(3)), byte(len(name)), byte(name[1])}, 7)
			}
			if r.IntN(3) == 0 {
				end := time.Unix(1900000000+int64(r.IntN(3)), 0)
				d.Until = &end
			}
		default:
			continue
		}
		u.Devices = append(u.Devices, d)
	}
}

func TestASecondTimeChangesNothing(t *testing.T) {
	j := newJob(t)
	r := rand.New(rand.NewPCG(1, 2))
	done := 0
	for range 40 {
		f := randomFile(r)
		all, err := apply(j, f)
		must(t, err)
		for i, p := range plans(j, f) {
			if (all[i].Err == nil) != (p.Err == nil) {
				t.Fatalf("%+v: first %v, then %v", *p.User, all[i].Err, p.Err)
			}
			if p.Err == nil && !p.Idle() {
				t.Fatalf("%+v: %v again", *p.User, p.Changes)
			}
			done += len(all[i].Done)
		}
	}
	if done < 300 {
		t.Errorf("%d changes: this test has shown little", done)
	}
}

// exported writes all users, in both forms, and reads them again.
func exported(t *testing.T, j *Job, withSecrets bool) []*File {
	t.Helper()
	users, err := j.Users.Secrets.Users()
	must(t, err)
	list := &File{}
	for _, name := range users {
		u, err := Export(j.Users, name, withSecrets)
		must(t, err)
		list.Users = append(list.Users, u)
	}
	var yaml, asCSV bytes.Buffer
	must(t, errors.Join(list.Write(&yaml), list.WriteCSV(&asCSV)))
	return []*File{parse(t, "x.yaml", yaml.String()), parse(t, "x.csv", asCSV.String())}
}

func TestWhatIsExportedChangesNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 10 {
		j := newJob(t)
		for range 3 {
			_, err := apply(j, randomFile(r))
			must(t, err)
		}
		for _, withSecrets := range []bool{false, true} {
			for _, f := range exported(t, j, withSecrets) {
				if len(f.Wrong) > 0 || len(f.Users) == 0 {
					t.Fatalf("%s: %v", f.Name, f.Wrong)
				}
				for _, p := range plans(j, f) {
					if p.Err != nil || !p.Idle() {
						t.Errorf("%s, secrets %v: %+v: %v, %v", f.Name, withSecrets, *p.User, p.Err, p.Changes)
					}
				}
			}
		}
	}
}

// codesOf are what makes a user's codes, without what is random for each host.
func codesOf(r *secrets.Record) (all []string) {
	for _, d := range r.Devices {
		all = append(all, fmt.Sprint(d.Name, d.Method, factor.EncodeSecret(d.Secret), d.Digits, d.Period, d.Algorithm, d.Issuer, d.Label, d.Until))
	}
	return append(all, r.Phone)
}

func TestWhatIsExportedWithSecretsMakesTheSameUsersElsewhere(t *testing.T) {
	here := newJob(t)
	r := rand.New(rand.NewPCG(5, 6))
	for range 3 {
		_, err := apply(here, randomFile(r))
		must(t, err)
	}
	for _, f := range exported(t, here, true) {
		there := newJob(t)
		_, err := apply(there, f)
		must(t, err)
		for _, u := range f.Users {
			if a, b := codesOf(record(t, here, u.Name)), codesOf(record(t, there, u.Name)); !slices.Equal(a, b) {
				t.Errorf("%s: here %q, there %q", u.Name, a, b)
			}
		}
	}
}

func TestNamesThatYAMLWouldMistakeSurviveBeingWritten(t *testing.T) {
	for _, name := range []string{"on", "null", "NULL", "~", "007", "1e3", "- x", "#x", "a: b", "a #b", `"`, "'", "&a", "*a", "!a", "%a", "@a", "{", "[", "müller", "DOM\\user", "2026-12-31", "true", " a", "a "} {
		d := Device{Name: name}
		if len(name) > maxDevice {
			t.Fatal(name)
		}
		list := &File{Users: []User{{Name: "user1", Devices: []Device{d}}}}
		var yaml, asCSV bytes.Buffer
		must(t, errors.Join(list.Write(&yaml), list.WriteCSV(&asCSV)))
		for _, f := range []*File{parse(t, "x.yaml", yaml.String()), parse(t, "x.csv", asCSV.String())} {
			if len(f.Wrong) > 0 || f.Users[0].Devices[0].Name != name {
				t.Errorf("%q in %s: %v, %v\n%s", name, f.Name, f.Wrong, f.Users, yaml.String())
			}
		}
	}
}

// The attack: a user calls his device =HYPERLINK(…), and an administrator opens what was exported.
func TestNoCellThatIsExportedIsAFormula(t *testing.T) {
	for _, name := range []string{"=1+1", "'=1+1", "+1", "-1", "@SUM(A1)", " =1", "\"=1", "＝1", "a;=1", "-", "'"} {
		d := Device{Name: name, Issuer: name, Label: name}
		list := &File{Users: []User{{Name: "user1", Devices: []Device{d}}}}
		var text bytes.Buffer
		must(t, list.WriteCSV(&text))
		rows, err := csv.NewReader(strings.NewReader(text.String())).ReadAll()
		must(t, err)
		for _, cell := range rows[1] {
			if trimmed := strings.TrimLeft(cell, " \""); strings.IndexAny(trimmed, "=+-@＝") == 0 || strings.Contains(cell, ";=") {
				t.Errorf("%q is written as %q", name, cell)
			}
		}
		f := parse(t, "x.csv", text.String())
		if len(f.Wrong) > 0 || f.Users[0].Devices[0].Name != name || f.Users[0].Devices[0].Issuer != name || f.Users[0].Devices[0].Label != name {
			t.Errorf("%q: %v, %+v", name, f.Wrong, f.Users)
		}
	}
}

func TestAStateThatWasLeftBehindIsBroughtUpToDate(t *testing.T) {
	j := newJob(t)
	applied(t, j, "- user: user1\n")
	r := record(t, j, "user1")
	r.Devices = append(r.Devices, r.Devices[0])
	r.Devices[1].ID, r.Devices[1].Name = secrets.ID{1}, "token"
	r.Devices[1].Secret = bytes.Repeat([]byte{1}, 20)
	r.Serial++
	must(t, j.Users.Secrets.Save(r)) // and killed before the state was told
	p := applied(t, j, "- user: user1\n  devices:\n  - name: token\n")[0]
	if len(p.Done) > 0 {
		t.Errorf("%v", p.Done)
	}
	if got := deviceNames(t, j, "user1"); !slices.Equal(got, []string{"phone", "token"}) {
		t.Errorf("%q", got)
	}
}
