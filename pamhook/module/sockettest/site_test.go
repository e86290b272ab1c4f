package sockettest

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
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
)

// What is tested, built once; self is this program where everybody can start it.
var helper, module, self, scratchDir string

func TestMain(m *testing.M) {
	pamtest.Child()
	stranger()
	confined()
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) (code int) {
	fail := func(err error) int {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	dir, remove, err := pamtest.ScratchDir("twokey-sockets-")
	if err != nil {
		return fail(err)
	}
	defer func() {
		if err := remove(); err != nil {
			code = fail(err)
		}
	}()
	scratchDir, module, self = dir, filepath.Join(dir, "pam_twokey.so"), filepath.Join(dir, "application")
	if helper, err = scratch.BuildHelper(dir); err != nil {
		return fail(err)
	}
	if err := scratch.BuildNotify(dir); err != nil {
		return fail(err)
	}
	build := exec.Command("make", "--no-print-directory", "-C", "..", "OUT="+dir, "HELPER="+helper, "all")
	if out, err := build.CombinedOutput(); err != nil {
		return fail(fmt.Errorf("build the module: %w\n%s", err, out))
	}
	own, err := os.ReadFile("/proc/self/exe")
	if err == nil {
		err = os.WriteFile(self, own, 0o755)
	}
	if err != nil {
		return fail(err)
	}
	return m.Run()
}

// site is a machine on which twokey is where it is everywhere.
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

const service = "locker" // the application's own PAM service

// newSite makes a site with alice, who has a device, and bob, who has another.
func newSite(t *testing.T, settings string) (s *site, alice, bob *person) {
	t.Helper()
	dir, err := os.MkdirTemp(scratchDir, "site-")
	must(t, err)
	must(t, os.Chmod(dir, 0o755))
	suffix, first := pamtest.Suffix(), firstUID()
	alice = &person{User: pamtest.User{Name: "alice-" + suffix, UID: first}}
	bob = &person{User: pamtest.User{Name: "bob-" + suffix, UID: first + 1}}
	settings = strings.NewReplacer("ALICE", alice.Name, "BOB", bob.Name).Replace(settings)
	s = &site{pamtest.NewMachine(t, dir, alice.User, bob.User), scratch.New(t, filepath.Join(dir, "twokey"), settings), t}
	must(t, os.Mkdir(filepath.Join(dir, "etc/twokey"), 0o755))
	config, err := os.ReadFile(s.Config)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "etc/twokey/twokey.yaml"), config, 0o644))
	s.Service(service, "auth required "+module, "account required "+module)
	s.enrol(alice)
	s.enrol(bob)
	return s, alice, bob
}

func firstUID() uint32 {
	var b [4]byte
	rand.Read(b[:]) // never fails
	return 300_000 + binary.BigEndian.Uint32(b[:])%(1<<24)*32
}

// enrol gives a person a phone whose codes are good for ten minutes, so that a slow machine is no reason to fail.
func (s *site) enrol(p *person) {
	s.t.Helper()
	r := scratch.Request()
	r.Params.Period = 300
	p.phone = s.Enrol(p.Name, p.UID, r)
}

func (p *person) code(t *testing.T, offset int64) string {
	t.Helper()
	return scratch.Code(t, p.phone, offset)
}

// activate has a program started for each connection to a socket, as systemd does by a unit: with that unit's capabilities and no others.
func (s *site) activate(socket, mode, unit string, program ...string) {
	s.t.Helper()
	path := "/run/twokey/" + socket
	bounds := "-all"
	for _, capability := range strings.Fields(values(s.t, unit, "CapabilityBoundingSet")[0]) {
		bounds += ",+" + strings.ToLower(strings.TrimPrefix(capability, "CAP_"))
	}
	argv := append([]string{"setpriv", "--bounding-set=" + bounds, "--no-new-privs", "systemd-socket-activate", "--accept", "-l", path}, program...)
	cmd := s.Command(argv...)
	cmd.Stderr = io.Discard
	must(s.t, cmd.Start())
	s.t.Cleanup(func() {
		must(s.t, cmd.Process.Kill())
		_ = cmd.Wait() // it was killed
	})
	for end := time.Now().Add(time.Minute); s.Command("chmod", mode, path).Run() != nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("%s does not appear", path)
		}
	}
}

// verify is twokey-verify.socket.
func (s *site) verify() { s.activate("verify.sock", "0666", "twokey-verify@.service", helper) }

// unlock is the application of one person, in which somebody answers.
func (s *site) unlock(p *person, user string, answers ...string) pamtest.Result {
	s.t.Helper()
	under := append(s.CommandAs(p.User).Args, "sh", "-c", `exec "$0"`, self)
	return pamtest.Login{ConfDir: "/etc/pam.d", Service: service, User: user, Under: under, Converse: pamtest.Answers(answers...)}.Run(s.t)
}

// last is the newest record.
func (s *site) last() *audit.Record {
	s.t.Helper()
	entries := s.Last(1)
	if len(entries) != 1 || entries[0].Record == nil {
		s.t.Fatal("nothing was recorded")
	}
	return entries[0].Record
}
