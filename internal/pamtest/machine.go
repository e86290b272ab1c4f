package pamtest

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// User is an account of a [Machine].
type User struct {
	Name     string
	UID      uint32 // also the number of the group of the same name
	Password string // "": that of the machine
}

// Machine is a view of this host that only the programs have that are started in it: with accounts, PAM services, a sudoers file,
// /home, /run and /var/log of its own, mounted over those of the host in a mount namespace. So sshd, sudo, su and login can be
// tested under their own names, nothing of the host changes, and all of it goes with the last program in it, however the test
// ends. The test must run as root.
type Machine struct {
	Password string // of every account that has none of its own

	t   testing.TB
	dir string
	pid int // of the process that keeps the namespace
}

// The mounts. The last line keeps the namespace until standard input ends, which it does with the test at the latest.
const machineScript = `
set -e
mount -t tmpfs -o mode=0755 tmpfs /run
mkdir -m 0755 /run/sshd
: >/run/utmp
mount -t tmpfs -o mode=0755 tmpfs /var/log
: >/var/log/wtmp
: >/var/log/lastlog
(umask 077; : >/var/log/btmp)
mount --bind "$1/home" /home
mkdir /run/host
mount --bind /etc /run/host
mount --bind "$1/etc" /etc
echo ready
exec cat
`

// NewMachine makes a machine with these accounts besides those of the host. Its files lie in dir, which must not be in /home,
// /run or /var/log.
func NewMachine(t testing.TB, dir string, accounts ...User) *Machine {
	t.Helper()
	m := &Machine{Password: Suffix() + Suffix(), t: t, dir: dir}
	for _, name := range []string{"home", "etc", "etc/pam.d"} {
		m.must(os.Mkdir(filepath.Join(dir, name), 0o755))
	}
	m.addAccounts(accounts)
	m.linkTheRest()
	m.write("etc/pam.d/other", "auth required pam_deny.so\naccount required pam_deny.so\nsession required pam_deny.so\n", 0o644)
	m.Sudoers()
	m.start()
	return m
}

// start makes the namespace.
func (m *Machine) start() {
	m.t.Helper()
	keep := exec.Command("unshare", "--mount", "--propagation", "private", "sh", "-c", machineScript, "sh", m.dir)
	keep.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	keep.Stderr = os.Stderr
	stdin, err := keep.StdinPipe()
	m.must(err)
	stdout, err := keep.StdoutPipe()
	m.must(err)
	m.must(keep.Start())
	m.t.Cleanup(func() { endWatcher(m.t, stdin, keep) })
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "ready\n" {
		m.t.Fatalf("pamtest: the mounts of a machine: %q, %v", line, err)
	}
	m.pid = keep.Process.Pid
}

// linkTheRest gives the machine's /etc everything else that the host has there. Single files could not be mounted over those of
// the host: when the host replaces one, the kernel takes the mount away, in all namespaces.
func (m *Machine) linkTheRest() {
	m.t.Helper()
	entries, err := os.ReadDir("/etc")
	m.must(err)
	for _, e := range entries {
		switch e.Name() {
		case "passwd", "shadow", "group", "gshadow", "pam.d", "sudoers", "sudoers.d", "nologin", "securetty":
		default:
			m.must(os.Symlink("/run/host/"+e.Name(), filepath.Join(m.dir, "etc", e.Name())))
		}
	}
}

func (m *Machine) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatalf("pamtest: %v", err)
	}
}

// addAccounts writes passwd, shadow and group: those of the host, without passwords, and ours.
func (m *Machine) addAccounts(accounts []User) {
	m.t.Helper()
	var files [3]strings.Builder
	for i, name := range []string{"/etc/passwd", "/etc/passwd", "/etc/group"} {
		content, err := os.ReadFile(name)
		m.must(err)
		for line := range strings.Lines(string(content)) {
			if i == 1 {
				line = strings.SplitN(line, ":", 2)[0] + ":*:19000:0:99999:7:::\n"
			}
			files[i].WriteString(line)
		}
	}
	usual := m.hash(m.Password)
	for _, a := range accounts {
		hash := usual
		if a.Password != "" {
			hash = m.hash(a.Password)
		}
		fmt.Fprintf(&files[0], "%s:x:%d:%d::/home/%s:/bin/sh\n", a.Name, a.UID, a.UID, a.Name)
		fmt.Fprintf(&files[1], "%s:%s:19000:0:99999:7:::\n", a.Name, hash)
		fmt.Fprintf(&files[2], "%s:x:%d:\n", a.Name, a.UID)
		home := filepath.Join(m.dir, "home", a.Name)
		m.must(os.Mkdir(home, 0o700))
		m.must(os.Chown(home, int(a.UID), int(a.UID)))
	}
	m.write("etc/passwd", files[0].String(), 0o644)
	m.write("etc/shadow", files[1].String(), 0o600)
	m.write("etc/group", files[2].String(), 0o644)
}

// hash is a password as crypt(3) has it, with the fewest rounds: nobody is to guess it, and many log in at once.
func (m *Machine) hash(password string) string {
	m.t.Helper()
	program := `chomp($_ = <STDIN>); print crypt($_, '$5$rounds=1000$` + Suffix() + `$')`
	cmd := exec.Command("perl", "-e", program)
	cmd.Stdin = strings.NewReader(password + "\n")
	out, err := cmd.Output()
	m.must(err)
	return string(out)
}

func (m *Machine) write(name, content string, mode os.FileMode) {
	m.t.Helper()
	m.must(os.WriteFile(filepath.Join(m.dir, name), []byte(content), mode))
}

// Service writes the machine's PAM service of this name.
func (m *Machine) Service(name string, lines ...string) {
	m.t.Helper()
	Service(m.t, filepath.Join(m.dir, "etc/pam.d"), name, lines...)
}

// Sudoers writes the lines of the machine's sudoers file, without which nobody may do anything.
func (m *Machine) Sudoers(lines ...string) {
	m.t.Helper()
	// !fqdn: no name server is asked; timestamp_timeout: sudo asks each time.
	lines = append([]string{"Defaults !fqdn, timestamp_timeout=0"}, lines...)
	m.write("etc/sudoers", strings.Join(lines, "\n")+"\n", 0o440)
}

// Home is an account's home folder, as the test sees it.
func (m *Machine) Home(name string) string { return filepath.Join(m.dir, "home", name) }

// Command is a program to be run in the machine by root.
func (m *Machine) Command(argv ...string) *exec.Cmd { return m.enter(nil, argv) }

// CommandAs is a program to be run in the machine by an account.
func (m *Machine) CommandAs(a User, argv ...string) *exec.Cmd {
	id := fmt.Sprint(a.UID)
	return m.enter([]string{"--setuid", id, "--setgid", id}, argv)
}

// enter executes the program in its own process, so that its number is that of the program.
func (m *Machine) enter(who, argv []string) *exec.Cmd {
	args := append([]string{fmt.Sprintf("--mount=/proc/%d/ns/mnt", m.pid)}, who...)
	cmd := exec.Command("nsenter", append(append(args, "--"), argv...)...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "TERM=dumb"}
	return cmd
}

// ScratchDir makes a folder in the folder for temporary files that everybody can look into, and returns a function that removes
// it. A watcher removes it too when the process ends before that, however it ends. It is for TestMain; a test has TempDir.
func ScratchDir(prefix string) (dir string, remove func() error, err error) {
	if dir, err = os.MkdirTemp("", prefix); err != nil {
		return "", nil, err
	}
	watcher := exec.Command("sh", "-c", `cat; exec rm -rf "$1"`, "sh", dir)
	watcher.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	var stdin io.Closer
	if stdin, err = watcher.StdinPipe(); err == nil {
		err = watcher.Start()
	}
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		return "", nil, err
	}
	return dir, func() error {
		if err := stdin.Close(); err != nil {
			return err
		}
		return watcher.Wait()
	}, nil
}
