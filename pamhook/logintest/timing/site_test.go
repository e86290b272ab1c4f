package timing

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"twokey/enroll"
	"twokey/internal/pamtest"
	"twokey/pamhook/logintest/scratch"
	"twokey/state"
)

// The kinds of accounts. There are several of each, so that no file of a single one is measured.
const (
	unknown     = "unknown"
	notEnrolled = "not enrolled"
	enrolled    = "wrong code"
	denied      = "denied"
	throttled   = "throttled"
	twoDevices  = "wrong code, two devices"
	everyKind   = 4 // accounts
)

// The services, by how they ask.
const (
	prompting = "prompted"
	oneField  = "appended"
)

const settings = `default: required
services: {appended: {ask: appended}}
rules: [{users: [%s], then: deny}]
`

// class is one of the kinds of people between whom nobody must be able to tell, at one service.
type class struct {
	service  string
	accounts string
	decoy    bool // behind a wrong password
}

func (c class) String() string {
	if c.decoy {
		return "wrong password, " + map[string]string{unknown: "unknown", enrolled: "enrolled"}[c.accounts]
	}
	return c.accounts
}

// classes are all of them. Where the code stands behind the password, the same is done with it; there are fewer of those.
func classes() []class {
	return []class{
		{prompting, unknown, false}, {prompting, notEnrolled, false}, {prompting, enrolled, false}, {prompting, twoDevices, false},
		{prompting, denied, false}, {prompting, throttled, false}, {prompting, enrolled, true}, {prompting, unknown, true},
		{oneField, unknown, false}, {oneField, enrolled, false}, {oneField, enrolled, true},
	}
}

// kinds are all kinds of accounts.
func kinds() []string { return []string{unknown, notEnrolled, enrolled, twoDevices, denied, throttled} }

// account is one account; phone is nil when it has no device.
type account struct {
	name  string
	phone *enroll.Draft
}

// site is a host with all these accounts, and an application on it.
type site struct {
	*scratch.Host
	running
	t        testing.TB
	dir      string
	accounts map[string][]account
}

// newSite makes a site whose helper is this program.
func newSite(t testing.TB, helper string) *site {
	t.Helper()
	dir, remove, err := pamtest.ScratchDir("twokey-timing-")
	must(t, err)
	t.Cleanup(func() { must(t, remove()) })
	s := &site{t: t, dir: dir, accounts: map[string][]account{}}
	users := s.nameAccounts()
	machine := pamtest.NewMachine(t, s.under("machine"), users...)
	quoted := ""
	for _, a := range s.accounts[denied] {
		quoted += a.name + ", "
	}
	s.Host = scratch.New(t, filepath.Join(dir, "twokey"), fmt.Sprintf(settings, quoted))
	s.enrolAccounts(users)
	s.writeServices(helper)
	program, err := os.Executable()
	must(t, err)
	s.running = start(t, machine.Command(program))
	return s
}

func (s *site) under(name string) string {
	s.t.Helper()
	dir := filepath.Join(s.dir, name)
	must(s.t, os.Mkdir(dir, 0o755))
	return dir
}

// nameAccounts gives all accounts names of one length, and returns those that the machine has.
func (s *site) nameAccounts() (users []pamtest.User) {
	var b [4]byte
	rand.Read(b[:]) // never fails
	uid, suffix := 300_000+binary.BigEndian.Uint32(b[:])%(1<<24)*32, pamtest.Suffix()
	for i, kind := range kinds() {
		for n := range everyKind {
			name := fmt.Sprintf("t%d%d-%s", i, n, suffix)
			s.accounts[kind] = append(s.accounts[kind], account{name: name})
			if kind != unknown {
				users = append(users, pamtest.User{Name: name, UID: uid + uint32(len(users))})
			}
		}
	}
	return users
}

// enrolAccounts gives a device to whoever has one: like those of the usual user, who the decoy is like too.
func (s *site) enrolAccounts(users []pamtest.User) {
	s.t.Helper()
	uids := map[string]uint32{}
	for _, u := range users {
		uids[u.Name] = u.UID
	}
	r := scratch.Request()
	r.Recovery = 10
	for _, kind := range []string{enrolled, twoDevices, denied, throttled} {
		for i := range s.accounts[kind] {
			a := &s.accounts[kind][i]
			a.phone = s.Enrol(a.name, uids[a.name], r)
		}
	}
	for _, a := range s.accounts[twoDevices] {
		s.addDevice(a.name, uids[a.name])
	}
}

// addDevice puts a second device into the user's secret file.
func (s *site) addDevice(name string, uid uint32) {
	s.t.Helper()
	record, err := s.Users.Secrets.Load(name)
	must(s.t, err)
	r := scratch.Request()
	r.Device, r.Replace = "tablet", true
	tablet, err := s.Users.Draft(enroll.Account{Name: name, UID: uid}, r)
	must(s.t, err)
	record.Serial++
	record.Devices = append(record.Devices, tablet.Device)
	must(s.t, s.Users.Secrets.Save(record))
}

// writeServices writes each service twice: as it is, and as what a wrong password leads to.
func (s *site) writeServices(helper string) {
	s.t.Helper()
	built := pamtest.BuildModule(s.t, s.under("module"))
	for _, end := range []string{"", " decoy"} {
		dir := s.confDir(end != "")
		must(s.t, os.Mkdir(dir, 0o755))
		for _, name := range []string{prompting, oneField} {
			pamtest.Service(s.t, dir, name, "auth optional "+built+" helper="+helper+" config="+s.Config+end, "auth required pam_permit.so")
		}
	}
}

func (s *site) confDir(decoy bool) string {
	if decoy {
		return filepath.Join(s.dir, "decoy")
	}
	return filepath.Join(s.dir, "pam")
}

// source is where all logins come from.
const source = "192.0.2.7"

// prepare puts the account's buckets to where its kind has them, or writes the state of the decoy that will do its work: in either case the
// file that the login is going to use was the last to be written.
func (s *site) prepare(c class, a account) error {
	name := a.name
	if c.decoy || a.phone == nil || c.accounts == denied {
		name = state.Decoy(a.name)
	}
	return s.Users.State.Update(name, func(tx *state.Tx) error {
		tx.Unlock()
		if c.accounts != throttled {
			return nil
		}
		for range 100 {
			if !tx.Charge(state.Attempt{Source: source, Cost: state.One, Now: time.Now()}) {
				return nil
			}
		}
		return errors.New("the bucket cannot be emptied")
	})
}

// try is one login of the class.
func (s *site) try(c class, a account) (took, error) {
	if err := s.prepare(c, a); err != nil {
		return took{}, err
	}
	answer := "000000"
	if a.phone != nil {
		answer = scratch.Wrong(s.t, a.phone)
	}
	if c.service == oneField {
		answer = "hunter2" + answer
	}
	return s.login(login{ConfDir: s.confDir(c.decoy), Service: c.service, User: a.name, Source: source, Answer: answer})
}

// buildHelper builds the helper, with some of its files replaced: overlay is as for go build -overlay; "" replaces none.
func buildHelper(t testing.TB, dir, overlay string) string {
	t.Helper()
	path := filepath.Join(dir, "twokey-verify")
	build := exec.Command("go", "build", "-overlay="+overlay, "-o", path, "twokey/cmd/twokey-verify")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the helper: %v\n%s", err, out)
	}
	return path
}
