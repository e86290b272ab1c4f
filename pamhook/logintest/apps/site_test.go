package apps

import (
	"crypto/rand"
	"encoding/binary"
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

// What is tested, built once, and the folder in which the tests make theirs.
var helper, module, scratchDir string

func TestMain(m *testing.M) {
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) (code int) {
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
	if people > len(names) {
		t.Fatalf("there are names for %d people only", len(names))
	}
	dir, err := os.MkdirTemp(scratchDir, "site-")
	must(t, err)
	must(t, os.Chmod(dir, 0o755))
	suffix := pamtest.Suffix()
	first := firstUID()
	var users []pamtest.User
	var all []*person
	for i, name := range names[:people] {
		users = append(users, pamtest.User{Name: name + "-" + suffix, UID: first + uint32(i)})
		all = append(all, &person{User: users[i]})
	}
	s := &site{t: t, Machine: pamtest.NewMachine(t, dir, users...), Host: scratch.New(t, filepath.Join(dir, "twokey"), settings)}
	for _, service := range []string{"sshd", "sudo", "login"} {
		s.Service(service, s.stack()...)
	}
	s.Service("su", append([]string{"auth sufficient pam_rootok.so"}, s.stack()...)...)
	return s, all
}

// names are of one length, so that what is shown to one can be compared with what is shown to another.
var names = strings.Fields("anna bert cora dora emil finn gina hugo ines jack karl lena mona nick olga paul rosa sven tina ulla vera")

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
		"auth [success=1 default=ignore] pam_unix.so",
		"auth requisite " + line + " decoy",
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

// left is how many attempts the bucket of strangers still has.
func left(st *state.State) int {
	n := 0
	for strangers, _ := st.Throttled(int64(n+1)*state.One, time.Now()); !strangers && n < 10; {
		n++
		strangers, _ = st.Throttled(int64(n+1)*state.One, time.Now())
	}
	return n
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

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
