package pamtest

import (
	"net"
	"os"
	"os/exec"
	"os/user"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/msteinert/pam/v2"
)

func TestMain(m *testing.M) {
	Child()
	if name := os.Getenv("PAMTEST_DIE"); name != "" {
		dieWithUser()
	}
	os.Exit(m.Run())
}

// dieWithUser makes a throw-away user, prints its name and ends without any cleanup.
func dieWithUser() {
	testing.Init()
	testing.Main(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{{Name: "die", F: func(t *testing.T) {
		name, _ := TempUser(t)
		os.Stdout.WriteString(name)
		os.Exit(7)
	}}}, nil, nil)
}

func TestLoginWithPassword(t *testing.T) {
	name, password := TempUser(t)
	dir := t.TempDir()
	Service(t, dir, "unix", "auth required pam_unix.so nodelay", "account required pam_unix.so", "session required pam_permit.so")
	login := Login{ConfDir: dir, Service: "unix", User: name, Converse: Answers(password)}

	r := login.Run(t)
	if !r.OK() || !slices.Equal(r.Codes, []pam.Error{0, 0}) {
		t.Errorf("right password: %v", r.Codes)
	}
	if want := []Message{{pam.PromptEchoOff, "Password: "}}; !slices.Equal(r.Messages, want) {
		t.Errorf("right password: %v, want %v", r.Messages, want)
	}
	login.Converse = Answers("wrong")
	if r := login.Run(t); r.OK() || !slices.Equal(r.Codes, []pam.Error{pam.ErrAuth}) {
		t.Errorf("wrong password: %v", r.Codes)
	}
	login.Converse = nil
	if r := login.Run(t); r.OK() {
		t.Errorf("no answer: %v", r.Codes)
	}
}

func TestLoginRunsEveryPhase(t *testing.T) {
	dir := t.TempDir()
	Service(t, dir, "s", "auth required pam_permit.so", "account required pam_permit.so", "session required pam_permit.so")
	phases := []Phase{Authenticate, SetCred, Account, OpenSession, CloseSession}
	if r := (Login{ConfDir: dir, Service: "s", User: "nobody", Phases: phases}).Run(t); !r.OK() || len(r.Codes) != len(phases) {
		t.Errorf("%v", r.Codes)
	}
	Service(t, dir, "s", "auth required pam_permit.so", "account required pam_deny.so", "session required pam_permit.so")
	if r := (Login{ConfDir: dir, Service: "s", User: "nobody", Phases: phases}).Run(t); r.OK() || len(r.Codes) != 3 {
		t.Errorf("%v", r.Codes)
	}
}

func TestLoginPassesItemsAndEnvironment(t *testing.T) {
	dir := t.TempDir()
	Service(t, dir, "s", "auth required pam_exec.so stdout /bin/sh -c env", "account required pam_permit.so")
	r := Login{
		ConfDir: dir, Service: "s", User: "nobody", Items: map[pam.Item]string{pam.Rhost: "192.0.2.7"}, Env: []string{"A=b c"},
	}.Run(t)
	for _, want := range []string{"PAM_RHOST=192.0.2.7", "PAM_USER=nobody", "A=b c"} {
		if !slices.Contains(r.Messages, Message{pam.TextInfo, want}) {
			t.Errorf("%s is missing in %v", want, r.Messages)
		}
	}
}

func TestLoginRunsUnderACommand(t *testing.T) {
	dir := t.TempDir()
	Service(t, dir, "s", "auth required pam_exec.so stdout /bin/sh -c umask", "account required pam_permit.so")
	r := Login{ConfDir: dir, Service: "s", User: "nobody", Under: []string{"sh", "-c", `umask 0123; exec "$0"`}}.Run(t)
	if !slices.Contains(r.Messages, Message{pam.TextInfo, "0123"}) {
		t.Errorf("%v", r.Messages)
	}
}

func TestTempUserIsRemovedWithTheTest(t *testing.T) {
	var name string
	t.Run("with a user", func(t *testing.T) {
		var password string
		name, password = TempUser(t)
		if u, err := user.Lookup(name); err != nil || password == "" {
			t.Fatalf("%v, %v", u, err)
		}
	})
	if _, err := user.Lookup(name); err == nil {
		t.Errorf("%s is still there", name)
	}
}

func TestTempUserIsRemovedWhenTheTestDies(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), "PAMTEST_DIE=1")
	out, err := cmd.Output()
	if cmd.ProcessState.ExitCode() != 7 {
		t.Fatalf("%q, %v", out, err)
	}
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if _, err := user.Lookup(string(out)); err != nil {
			return
		}
	}
	t.Errorf("%s is still there", out)
}

func TestFreePortIsFree(t *testing.T) {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(FreePort(t))))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}
