package sandbox

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// probe is a program that enters the sandbox; the runtime of a test with the race detector needs more than the seal allows.
var probe = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "twokey-sandbox-")
	if err != nil {
		return "", err
	}
	built := filepath.Join(dir, "probe")
	build := exec.Command("go", "build", "-o", built, "./probetest")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return dir, &exec.Error{Name: string(out), Err: err}
	}
	return dir, os.Chmod(dir, 0o755)
})

func TestMain(m *testing.M) {
	status := m.Run()
	if dir, _ := probe(); dir != "" {
		os.RemoveAll(dir) // also when it was not built
	}
	os.Exit(status)
}

// run runs the probe as somebody.
func run(t *testing.T, what []string, credential *syscall.Credential, env []string, ambient ...uintptr) string {
	t.Helper()
	dir, err := probe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(dir, "probe"), what...)
	cmd.Env, cmd.Dir = env, "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential, AmbientCaps: ambient}
	out, err := cmd.CombinedOutput()
	if err != nil && len(out) == 0 {
		return err.Error()
	}
	return strings.TrimSpace(string(out))
}

func nobody() *syscall.Credential {
	return &syscall.Credential{Uid: 65534, Gid: 65534, Groups: []uint32{}}
}

// MUST NOT run as root, with a group, a capability or with an environment.
func TestWhoMayNotStartIt(t *testing.T) {
	const notStarted = "must be started by twokey, as an unprivileged user with an empty environment: "
	group, user, member := nobody(), nobody(), nobody()
	group.Uid, user.Gid, member.Groups = 0, 0, []uint32{65534, 42}
	for name, c := range map[string]struct {
		credential *syscall.Credential
		env        []string
		ambient    []uintptr
		want       string
	}{
		"root":                  {nil, []string{}, nil, notStarted + "this is root"},
		"root's user":           {group, []string{}, nil, notStarted + "this is root"},
		"root's group":          {user, []string{}, nil, notStarted + "this is root"},
		"somebody with a group": {member, []string{}, nil, notStarted + "it has groups"},
		"somebody with a right": {nobody(), []string{}, []uintptr{unix.CAP_NET_RAW}, notStarted + "it has capabilities"},
		"an environment":        {nobody(), []string{"SSL_CERT_FILE=/tmp/x"}, nil, notStarted + "there is an environment"},
		"as it should be":       {nobody(), []string{}, nil, "dumpable 0, core 0 0, no new privileges 1"},
	} {
		if got := run(t, []string{"status"}, c.credential, c.env, c.ambient...); got != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// MUST NOT be able to start a program, to trace another process, to write to any file, or to speak to anything but the network.
func TestWhatIsSealed(t *testing.T) {
	refused := []string{
		"exec", "start", "ptrace", "read memory", "kill", "tgkill", "signal by a socket",
		"open to write", "open to both", "make a file", "truncate", "unlink", "rename", "mkdir",
		"unix socket", "netlink socket", "new namespace", "setuid", "code in memory", "memfd", "listen", "dumpable",
	}
	const notPermitted = "operation not permitted"
	for _, what := range refused {
		if got := run(t, []string{what}, nobody(), []string{}); !strings.Contains(got, notPermitted) {
			t.Errorf("%s: %s", what, got)
		}
		if got := run(t, []string{what, "unsealed"}, nobody(), []string{}); strings.Contains(got, notPermitted) || strings.Contains(got, "no such try") {
			t.Errorf("%s without a seal: %s", what, got)
		}
	}
	for _, what := range []string{"read a file", "tcp socket", "udp6 socket", "threads"} {
		if got := run(t, []string{what}, nobody(), []string{}); got != "<nil>" {
			t.Errorf("%s: %s", what, got)
		}
	}
}

// Another architecture's calls have other numbers, and x32's have a bit more: none of ours is among the first, all others end the process
// or are refused.
func TestTheFilterLooksAtTheArchitectureFirst(t *testing.T) {
	filter := compile(unix.AUDIT_ARCH_X86_64)
	first := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offsetArch},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: 1, K: unix.AUDIT_ARCH_X86_64},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_KILL_PROCESS},
	}
	if !slices.Equal(filter[:3], first) {
		t.Errorf("%v", filter[:3])
	}
	if last := filter[len(filter)-1]; last.K != unix.SECCOMP_RET_ERRNO|uint32(unix.EPERM) {
		t.Errorf("what no rule names: %v", last)
	}
	if len(filter) > 4096 {
		t.Errorf("%d steps", len(filter))
	}
}
