package apps

import (
	"crypto/rand"
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"twokey/audit"
	"twokey/enroll"
	"twokey/internal/pamtest"
	"twokey/pamhook/logintest/scratch"
	"twokey/state"
)

// abreast is how many tests run side by side: nearly all of their time they wait for the delay of a refusal.
const abreast = 24

// What is tested, built once, and the folder in which the tests make theirs.
var helper, module, scratchDir string

func TestMain(m *testing.M) {
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) (code int) {
	if err := flag.Set("test.parallel", fmt.Sprint(abreast)); err != nil { // m.Run lets the command line change it
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fail := func(err error) int {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	dir, remove, err := pamtest.ScratchDir("twokey-apps-")
	if err != nil {
		return fail(err)
	}
	defer func() {
		if err := remove(); err != nil {
			code = fail(err)
		}
	}()
	scratchDir = dir
	if helper, err = scratch.BuildHelper(dir); err != nil {
		return fail(err)
	}
	if err := scratch.BuildNotify(dir); err != nil {
		return fail(err)
	}
	module = filepath.Join(dir, "pam_twokey.so")
	build := exec.Command("make", "--no-print-directory", "-C", "../../module", "OUT="+dir, "HELPER="+helper, "all")
	if out, err := build.CombinedOutput(); err != nil {
		return fail(fmt.Errorf("build the module: %w\n%s", err, out))
	}
	return m.Run()
}

// site is a machine whose services all have the recommended stack.
type site struct {
	*pamtest.Machine
	*scratch.Host
	t *testing.T
}

// person has an account; phone is nil when it is not enrolled.
type person struct {
	pamtest.User
	phone *enroll.Draft
}

// newSite makes a site with so many people, none of them enrolled, and the given lines in twokey.yaml.
func newSite(t *testing.T, settings string, people int) (*site, []*person) {
	t.Helper()
	return newSiteOf(t, settings, newUsers(t, people))
}

// newUsers are for a site, where each may be given a password of his own.
func newUsers(t *testing.T, n int) (users []pamtest.User) {
	t.Helper()
	if n > len(names) {
		t.Fatalf("there are names for %d people only", len(names))
	}
	suffix, first := pamtest.Suffix(), firstUID()
	for i, name := range names[:n] {
		users = append(users, pamtest.User{Name: name + "-" + suffix, UID: first + uint32(i)})
	}
	return users
}

func newSiteOf(t *testing.T, settings string, users []pamtest.User) (*site, []*person) {
	t.Helper()
	dir, err := os.MkdirTemp(scratchDir, "site-")
	must(t, err)
	must(t, os.Chmod(dir, 0o755))
	var people []*person
	for _, u := range users {
		people = append(people, &person{User: u})
	}
	s := &site{t: t, Machine: pamtest.NewMachine(t, dir, users...), Host: scratch.New(t, filepath.Join(dir, "twokey"), settings)}
	for _, service := range []string{"sshd", "sudo", "login"} {
		s.Service(service, s.stack()...)
	}
	s.Service("su", append([]string{"auth sufficient pam_rootok.so"}, s.stack()...)...)
	return s, people
}

// in is the site for a subtest.
func (s *site) in(t *testing.T) *site { return &site{Machine: s.Machine, Host: s.Host, t: t} }

// names are of one length, so that what is shown to one can be compared with what is shown to another.
var names = strings.Fields("anna bert cora dora emil finn gina hugo ines jack karl lena mona nick olga paul rosa sven tina ulla " +
	"vera wido xena yves zoey")

// firstUID is where the numbers of a site begin: they are the kernel's, and so no other's on this host.
func firstUID() uint32 {
	var b [4]byte
	rand.Read(b[:]) // never fails
	return 300_000 + binary.BigEndian.Uint32(b[:])%(1<<24)*32
}

// stack is what design and README recommend.
func (s *site) stack() []string {
	line := module + " config=" + s.Config
	return []string{
		"auth [success=2 default=ignore] pam_unix.so",
		"auth requisite " + line + " decoy",
		"auth requisite pam_deny.so",
		"auth required " + line + " after=password",
		"auth required pam_permit.so",
		"account required " + line,
		"account required pam_unix.so",
		"session required " + line,
		"session required pam_unix.so",
	}
}

// enrol gives a person a phone whose codes are good for ten minutes, so that a slow machine is no reason to fail.
func (s *site) enrol(p *person) *person {
	s.t.Helper()
	r := scratch.Request()
	r.Params.Period = 300
	r.Recovery = 4
	p.phone = s.Enrol(p.Name, p.UID, r)
	return p
}

// code is what the phone shows so many steps from now; 0 is right, and so is 1 after it.
func (p *person) code(t *testing.T, offset int64) string { return scratch.Code(t, p.phone, offset) }

func (p *person) wrong(t *testing.T) string { return scratch.Wrong(t, p.phone) }

// state is what is known about the person now.
func (s *site) state(p *person) *state.State {
	s.t.Helper()
	st, err := s.Users.State.Read(p.Name)
	must(s.t, err)
	return st
}

// left is how many attempts strangers still have, and how many a source that knows the person.
func left(st *state.State) (strangers, known int) {
	for n := int64(1); n <= 10; n++ {
		strangersEmpty, knownEmpty := st.Throttled(n*state.One, time.Now())
		if !strangersEmpty {
			strangers++
		}
		if !knownEmpty {
			known++
		}
	}
	return strangers, known
}

// mustHaveCharged fails the test unless so many attempts of strangers, and of sources that know the person, were charged.
func (s *site) mustHaveCharged(t *testing.T, p *person, strangers, known int) {
	t.Helper()
	leftOfStrangers, leftOfKnown := left(s.in(t).state(p))
	if 10-leftOfStrangers != strangers || 10-leftOfKnown != known {
		t.Errorf("%d attempts of strangers and %d of known sources were charged, want %d and %d",
			10-leftOfStrangers, 10-leftOfKnown, strangers, known)
	}
}

// chargedOnce reports whether one attempt of a stranger was charged.
func (s *site) chargedOnce(p *person) bool {
	s.t.Helper()
	strangers, _ := left(s.state(p))
	return strangers == 9
}

// records are those of the audit log that are about this person, oldest first.
func (s *site) records(p *person) (found []audit.Record) {
	s.t.Helper()
	must(s.t, audit.Read(s.Log(), func(e audit.Entry) error {
		if e.Record != nil && e.Record.User == p.Name {
			found = append(found, *e.Record)
		}
		return nil
	}))
	return found
}

// reasons are those of a person's records of one action, oldest first.
func (s *site) reasons(p *person, action string) (found []string) {
	s.t.Helper()
	for _, r := range s.records(p) {
		if r.Action == action {
			found = append(found, r.Reason)
		}
	}
	return found
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
