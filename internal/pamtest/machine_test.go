package pamtest

import (
	"os"
	"os/user"
	"strings"
	"testing"
)

func newTestMachine(t *testing.T) (*Machine, User) {
	t.Helper()
	dir, remove, err := ScratchDir("pamtest-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := remove(); err != nil {
			t.Error(err)
		}
	})
	u := User{Name: "machine-" + Suffix(), UID: 299_999}
	return NewMachine(t, dir, u), u
}

func TestAMachineHasAccountsOfItsOwn(t *testing.T) {
	m, u := newTestMachine(t)
	if _, err := user.Lookup(u.Name); err == nil {
		t.Fatalf("the host has the account %s", u.Name)
	}
	// useradd and userdel replace the host's files, which must not take away what is mounted over them.
	t.Run("while the host makes one", func(t *testing.T) { TempUser(t) })
	out, err := m.CommandAs(u, "sh", "-c", "id -un; cd ~"+u.Name+"; pwd; cat /etc/shadow").CombinedOutput()
	if want := u.Name + "\n/home/" + u.Name + "\n"; err == nil || !strings.HasPrefix(string(out), want) ||
		!strings.Contains(string(out), "Permission denied") {
		t.Errorf("%q, %v; want %q and no right to read passwords", out, err, want)
	}
	if out, err := m.Command("sh", "-c", "echo mine >/run/it && id -un").CombinedOutput(); err != nil || string(out) != "root\n" {
		t.Errorf("%q, %v", out, err)
	}
	if _, err := os.Stat("/run/it"); err == nil {
		t.Error("what is written to /run in the machine is there on the host")
	}
}

func TestATerminalShowsAndTakesText(t *testing.T) {
	m, u := newTestMachine(t)
	m.Service("su", "auth required pam_unix.so nodelay", "account required pam_unix.so", "session required pam_permit.so")
	for password, want := range map[string]int{m.Password: 7, "wrong": 1} {
		x := OpenTerminal(t, m.CommandAs(User{UID: 65534}, "su", u.Name, "-c", "exit 7"))
		x.Expect("Password: ")
		x.Type(password + "\n")
		if status := x.Wait(); status != want {
			t.Errorf("su with %q ended with %d, want %d:\n%s", password, status, want, x.Screen())
		}
		if strings.Contains(x.Screen(), password) {
			t.Errorf("the password was shown: %q", x.Screen())
		}
	}
}
