package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"twokey/audit"
)

// The run before was killed when the log was there and its verification key had not been shown: nobody has it, so it must not count.
func TestInitBeginsALogAnewWhoseKeyNobodyHasSeen(t *testing.T) {
	dir := t.TempDir()
	log := filepath.Join(dir, "var/log/twokey/audit.jsonl")
	lost, err := audit.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	out := succeed(t, "--root="+dir, "init")
	_, shown, found := strings.Cut(out, "shown this once:\n\n    ")
	if !found {
		t.Fatalf("no key: %s", out)
	}
	text, _, _ := strings.Cut(shown, "\n")
	key, err := audit.ParseVerificationKey(text)
	if err != nil || key == lost {
		t.Fatalf("%q: %v", text, err)
	}
	report, err := audit.Verify(log, &key)
	if err != nil || len(report.Problems) > 0 {
		t.Errorf("%+v, %v", report, err)
	}
	if out = succeed(t, "--root="+dir, "init"); !strings.Contains(out, "nothing to do") {
		t.Errorf("the second time: %s", out)
	}
}

// Whatever an interrupted run has made, the next one makes the rest. It is killed at each system call that makes something.
func TestInitFinishesWhatAnInterruptedRunHasBegun(t *testing.T) {
	shippedFirst(t)
	program, err := exec.LookPath("twokey")
	if err != nil {
		t.Fatal(err)
	}
	killed := 0
	for _, call := range []string{"mkdirat", "renameat2", "fsync"} {
		for n := 1; ; n++ {
			dir := t.TempDir()
			cmd := exec.Command("strace", "-f", "--seccomp-bpf", "-o", os.DevNull, "-e",
				fmt.Sprintf("inject=%s:signal=KILL:when=%d", call, n), program, "--root="+dir, "init")
			if out, err := cmd.CombinedOutput(); err == nil {
				break
			} else if !strings.Contains(err.Error(), "killed") {
				t.Fatalf("%s %d: %v: %s", call, n, err, out)
			}
			killed++
			root := "--root=" + dir
			succeed(t, root, "init")
			succeed(t, root, "enroll", "nobody")
			if out := succeed(t, root, "init"); !strings.Contains(out, "nothing to do") {
				t.Errorf("%s %d: %s", call, n, out)
			}
			succeed(t, root, "audit", "verify")
		}
	}
	if killed < 10 {
		t.Errorf("killed %d times: this test has shown nothing", killed)
	}
}

func TestInitRefusesFileSystemsOfOtherMachines(t *testing.T) {
	dir := t.TempDir()
	want := "twokey: error: " + dir + "/var/lib/twokey lies on a network file system (FUSE), on which codes could be used twice and logins hang\n" +
		"twokey: hint: give twokey a folder on a local disk: paths in the configuration\n"
	err := withMounts(func() error {
		unmount, err := mountFUSE(filepath.Join(dir, "var"))
		if err != nil {
			return err
		}
		cmd := exec.Command("twokey", "--root="+dir, "init")
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != exitFailed || string(out) != want {
			return errors.Join(fmt.Errorf("%v: %s", err, out), unmount())
		}
		return unmount()
	})
	if err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "etc")); err == nil {
		t.Error("something was made before")
	}
}

func TestInitHasBtrfsOverwriteInPlace(t *testing.T) {
	dir := t.TempDir()
	image, mounted := filepath.Join(dir, "image"), filepath.Join(dir, "mounted")
	err := withMounts(func() error {
		script := `truncate -s 200M "$0" && mkfs.btrfs -q "$0" && mkdir "$1" && mount -o loop "$0" "$1" &&
			twokey --root="$1" init && lsattr -d "$1"/var/lib/twokey/* "$1"/var/log/twokey && lsattr "$1"/var/lib/twokey/state "$1"/var/log/twokey && umount "$1"`
		out, err := exec.Command("sh", "-c", script, image, mounted).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		for _, in := range []string{"/state\n", "/state/%00decoy0\n", "/log/twokey\n", "/audit.head\n", "/audit.jsonl\n"} {
			if !regexp.MustCompile(`(?m)^-*C-* .*` + regexp.QuoteMeta(in)).Match(out) {
				return fmt.Errorf("%s is copied when it is written: %s", strings.TrimSpace(in), out)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// withMounts runs a function in a thread with mounts of its own, which only the programs that it starts see too, and which are gone
// when the test's process is, however it ends.
func withMounts(do func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: nobody else may have this thread
		err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_FS)
		if err == nil {
			err = unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
		}
		if err == nil {
			err = do()
		}
		done <- err
	}()
	return <-done
}

// Numbers of statfs(2) and linux/magic.h.
func TestFileSystemsOfOtherMachinesAreKnownByTheirNumbers(t *testing.T) {
	for number, name := range map[uint32]string{0x6969: "NFS", 0xff534d42: "CIFS", 0xfe534d42: "SMB", 0x517b: "SMB", 0x01021997: "9p",
		0x65735546: "FUSE", 0x5346414f: "AFS", 0x6b414653: "AFS", 0x00c36400: "Ceph", 0x73757245: "Coda", 0x0bd00bd0: "Lustre"} {
		if got := remoteFileSystems()[number]; got != name {
			t.Errorf("%#x: %q, want %q", number, got, name)
		}
	}
	for name, number := range map[string]uint32{"ext4": 0xef53, "xfs": 0x58465342, "btrfs": 0x9123683e, "tmpfs": 0x01021994, "zfs": 0x2fc12fc1,
		"f2fs": 0xf2f52010, "overlayfs": 0x794c7630} {
		if kind, remote := remoteFileSystems()[number]; remote {
			t.Errorf("%s counts as %s", name, kind)
		}
	}
}

// mountFUSE mounts an empty file system of this kind.
func mountFUSE(dir string) (unmount func() error, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	device, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", device)
	if err := unix.Mount("twokey-test", dir, "fuse", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		return nil, errors.Join(err, unix.Close(device))
	}
	served := make(chan error, 1)
	go func() { served <- serveFUSE(device) }()
	return func() error {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			return err
		}
		return errors.Join(<-served, unix.Close(device))
	}, nil
}

// serveFUSE answers until the file system is unmounted. A request has the header of linux/fuse.h: length, what is asked (4 bytes
// each), its number (8 bytes); an answer length, error (4 bytes each) and the number.
func serveFUSE(device int) error {
	request := make([]byte, 1<<17)
	for {
		_, err := unix.Read(device, request)
		switch {
		case err == unix.ENODEV:
			return nil
		case err == unix.EINTR || err == unix.ENOENT:
			continue
		case err != nil:
			return err
		}
		body, errno := answerFUSE(binary.NativeEndian.Uint32(request[4:]))
		answer := binary.NativeEndian.AppendUint32(nil, uint32(16+len(body)))
		answer = binary.NativeEndian.AppendUint32(answer, uint32(-int32(errno)))
		answer = append(append(answer, request[8:16]...), body...)
		if _, err := unix.Write(device, answer); err != nil && err != unix.ENOENT {
			return err
		}
	}
}

func answerFUSE(asked uint32) (body []byte, errno unix.Errno) {
	const lookup, statfs, initialise = 1, 17, 26
	switch asked {
	case initialise: // struct fuse_init_out: version 7.31, and how much is written at once
		body = make([]byte, 64)
		binary.NativeEndian.PutUint32(body[0:], 7)
		binary.NativeEndian.PutUint32(body[4:], 31)
		binary.NativeEndian.PutUint32(body[20:], 4096)
		return body, 0
	case statfs:
		return make([]byte, 80), 0
	case lookup:
		return nil, unix.ENOENT
	}
	return nil, unix.ENOSYS
}
