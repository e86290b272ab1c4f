package site

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Place is where it all happens: a folder of its own, and a /etc/passwd that only this process and its children see.
type Place struct {
	Dir string
	Top string // of the working tree
}

// Accounts is how many accounts there are that log in. The rest of many users are enrolled and have none: of a hundred thousand in
// /etc/passwd libc would read half the file at every login, whatever the module does.
const Accounts = 64

// FirstUID is the user id of the first account.
const FirstUID = 1_900_000_000

// UserName is the name of the account, or of the enrolled user, of this number.
func UserName(i int) string { return fmt.Sprintf("person%06d", i) }

// New makes one in the folder that Apart has given. What it mounts goes with the namespace, and what it writes with the folder.
func New(dir, top string) (*Place, error) {
	// A relative path of a module is one below libpam's own folder.
	top, err := filepath.Abs(top)
	if err != nil {
		return nil, err
	}
	p := &Place{Dir: dir, Top: top}
	return p, p.setUp()
}

func (p *Place) setUp() error {
	if err := os.Chmod(p.Dir, 0o755); err != nil {
		return err
	}
	for _, name := range []string{"pam", "home", "bin"} {
		if err := os.Mkdir(filepath.Join(p.Dir, name), 0o755); err != nil {
			return err
		}
	}
	var lines strings.Builder
	for i := range Accounts {
		fmt.Fprintf(&lines, "%s:x:%d:65534::%s:/bin/sh\n", UserName(i), FirstUID+i, p.Home(i))
		if err := os.Mkdir(p.Home(i), 0o700); err != nil {
			return err
		}
		if err := os.Chown(p.Home(i), FirstUID+i, 65534); err != nil {
			return err
		}
	}
	// The whole of /etc: over a single file the mount would be gone as soon as the host replaces it.
	etc := filepath.Join(p.Dir, "etc")
	if out, err := exec.Command("cp", "-a", "/etc", etc).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	passwd, err := os.OpenFile(filepath.Join(etc, "passwd"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = passwd.WriteString(lines.String())
	if err := errors.Join(err, passwd.Close()); err != nil {
		return err
	}
	if err := unix.Mount(etc, "/etc", "", unix.MS_BIND, ""); err != nil {
		return err
	}
	return emptyFolders()
}

// Install puts programs in place. What a linker has written lies in memory in single pages,
// and takes a fifth of a login longer to be started than the same file installed, which is what people have.
func (p *Place) Install(paths ...string) error {
	argv := append([]string{"-m", "0755", "-t", filepath.Join(p.Dir, "bin")}, paths...)
	if out, err := exec.Command("install", argv...).CombinedOutput(); err != nil {
		return fmt.Errorf("install: %w: %s", err, out)
	}
	return nil
}

// InstallBuilt is Install of what make has built.
func (p *Place) InstallBuilt(names ...string) error {
	var paths []string
	for _, name := range names {
		paths = append(paths, filepath.Join(p.Top, "build", name))
	}
	return p.Install(paths...)
}

// Program is where an installed program is.
func (p *Place) Program(name string) string { return filepath.Join(p.Dir, "bin", name) }

// hostFolders are where a host has its files.
var hostFolders = []string{"/etc/twokey", "/var/lib/twokey", "/var/log/twokey"}

// emptyFolders makes these, for hosts to be mounted on, where nobody else sees them.
func emptyFolders() error {
	for _, dir := range []string{"/var/lib", "/var/log"} {
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=0755"); err != nil {
			return fmt.Errorf("mount %s: %w", dir, err)
		}
	}
	for _, dir := range hostFolders {
		if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o755)); err != nil {
			return err
		}
	}
	return nil
}

// Home is the home folder of an account.
func (p *Place) Home(i int) string { return filepath.Join(p.Dir, "home", UserName(i)) }

// ConfDir is the folder of the PAM services.
func (p *Place) ConfDir() string { return filepath.Join(p.Dir, "pam") }

// Service writes a PAM service. The phases of which a module has nothing are let through by pam_permit.
func (p *Place) Service(name string, lines ...string) error {
	for _, phase := range []string{"auth", "account", "session"} {
		have := false
		for _, line := range lines {
			have = have || strings.HasPrefix(line, phase+" ")
		}
		if !have {
			lines = append(lines, phase+" required pam_permit.so")
		}
	}
	return os.WriteFile(filepath.Join(p.ConfDir(), name), []byte(strings.Join(lines, "\n")+"\n"), 0o644)
}
