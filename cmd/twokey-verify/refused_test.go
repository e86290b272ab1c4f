package main

import (
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"twokey/pamhook/wire"
)

const inside = "TWOKEY_VERIFY_TEST"

// It runs once more with a /run and a syslog of its own.
func TestRefusalsOfAUserAreSaidOnceAMinuteAsWarnings(t *testing.T) {
	if os.Getenv(inside) == "" {
		cmd := exec.Command("unshare", "--mount", "sh", "-c", `mount -t tmpfs none /run && mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 &&
			exec "$0" -test.run='^'$1'$'`, os.Args[0], t.Name())
		cmd.Env = append(os.Environ(), inside+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
		return
	}
	log, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: "/dev/log", Net: "unixgram"})
	must(t, err)
	defer log.Close()
	h := wire.Hello{Phase: wire.PhaseAccount, User: "nobody", Name: "nobody", UID: nobody, GIDs: []uint32{nobody}, Service: "sshd",
		Config: "/etc/twokey/twokey.yaml"}
	payload, err := h.Encode()
	must(t, err)
	for range 3 {
		module, theirs := pairOf(t, nobody)
		_, err = module.Write(wire.Frame{Type: wire.TypeHello, Payload: payload}.Append(nil))
		must(t, err)
		if e := run(t, theirs, helper); e.status != 0 || e.stderr != "" { // systemd would say more than we
			t.Errorf("status %d, said %q", e.status, e.stderr)
		}
		must(t, theirs.Close())
		must(t, module.Close())
	}
	must(t, log.SetReadDeadline(time.Now().Add(time.Second)))
	var said []string
	for line := make([]byte, 4096); ; {
		n, err := log.Read(line)
		if err != nil {
			break
		}
		if strings.Contains(string(line[:n]), "refused") {
			said = append(said, string(line[:n]))
		}
	}
	if want := "<84>twokey: a connection of uid 65534 is refused: " + errPhase.Error(); len(said) != 1 || said[0] != want {
		t.Errorf("said %q, want %q once", said, want)
	}
}

// pairOf is a connection of a user's, as the kernel sees it.
func pairOf(t *testing.T, uid int) (module, theirs *os.File) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	become := func(uid int) {
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), uintptr(uid), ^uintptr(0)); errno != 0 { // of this thread alone
			t.Fatal(errno)
		}
	}
	become(uid)
	module, theirs = pair(t, unix.SOCK_STREAM)
	become(0)
	return module, theirs
}
