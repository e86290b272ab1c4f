// Package disktest gives tests small file systems of their own that they can fill up. It needs root, mount(8), mkfs.ext4(8) and
// mkfs.xfs(8).
package disktest

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// guard makes and mounts the file system, prints where it is, and unmounts it when its standard input ends: so nothing stays
// mounted whichever way the test ends, by kill -9 too. It fails when something in the file system is still open at the end.
const guard = `
set -eu
dir=$(mktemp -d)
end() {
	status=$?
	if mountpoint -q "$dir/mnt" && ! umount "$dir/mnt"; then
		umount -l "$dir/mnt"
		status=1
	fi
	rm -rf --one-file-system "$dir"
	exit $status
}
trap end EXIT
trap '' PIPE # the test may have gone when we say where
mkdir "$dir/mnt"
case $1 in
tmpfs) mount -t tmpfs -o size=4m,mode=700 twokey-test "$dir/mnt" ;;
ext4) truncate -s 16M "$dir/img"; mkfs.ext4 -q -m 0 "$dir/img"; mount -o loop "$dir/img" "$dir/mnt" ;;
xfs) truncate -s 300M "$dir/img"; mkfs.xfs -q "$dir/img"; mount -o loop "$dir/img" "$dir/mnt" ;;
*) echo "unknown file system $1" >&2; exit 1 ;;
esac
echo "$dir/mnt"
cat >/dev/null
`

// Mount makes a file system of this type (ext4, xfs or tmpfs) and returns a directory in it, 0700. It is gone after the test.
func Mount(t testing.TB, fileSystem string) string {
	t.Helper()
	cmd := exec.Command("sh", "-c", guard, "sh", fileSystem)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for the test, not for its guard
	var complaint strings.Builder
	cmd.Stderr = &complaint
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(stdin.Close(), cmd.Wait()); err != nil {
			t.Errorf("the test's %s: %v: %s", fileSystem, err, complaint.String())
		}
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("the test's %s was not made: %v", fileSystem, err)
	}
	dir := filepath.Join(strings.TrimSuffix(line, "\n"), "dir")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Fill takes the last free block of the file system that dir is in. The function that it returns gives all of them back.
func Fill(t testing.TB, dir string) (free func()) {
	t.Helper()
	name := filepath.Join(filepath.Dir(dir), "filler")
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	end := int64(0)
	for size := int64(64 << 20); size >= 4096; {
		switch err := unix.Fallocate(int(f.Fd()), 0, end, size); err {
		case nil:
			end += size
		case unix.ENOSPC:
			size /= 2
		default:
			t.Fatal(err)
		}
	}
	// What the file system keeps back from fallocate(2), it may give to write(2).
	if _, err := f.Seek(0, io.SeekEnd); err != nil {
		t.Fatal(err)
	}
	for err = nil; err == nil; {
		if _, err = f.Write(make([]byte, 4096)); err == nil {
			err = f.Sync()
		}
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
}
