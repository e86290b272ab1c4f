package audit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// smallDisk mounts a new file system of 16 MB (xfs: 300 MB, its least). Only the thread of the test, which it keeps, sees it there, so
// that it goes away with that thread or with the process, however they end.
func smallDisk(t *testing.T, kind string) string {
	t.Helper()
	runtime.LockOSThread() // and never unlocked: the thread ends with the test
	if err := errors.Join(unix.Unshare(unix.CLONE_NEWNS), unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	image, point := filepath.Join(dir, "image"), filepath.Join(dir, "mounted")
	size, args := int64(16<<20), []string{"-q", "-m", "0", image}
	if kind == "xfs" {
		size, args = 300<<20, []string{"-q", image}
	}
	if err := errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, size), os.Mkdir(point, 0o700)); err != nil {
		t.Fatal(err)
	}
	if out, err := command(t, "mkfs."+kind, args...).CombinedOutput(); err != nil {
		t.Fatalf("mkfs.%s: %v: %s", kind, err, out)
	}
	// mount(8) sets the loop device up so that it goes away with the mount.
	if out, err := command(t, "mount", "-o", "loop", image, point).CombinedOutput(); err != nil {
		t.Fatalf("mount: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(point, 0); err != nil {
			t.Errorf("unmount: %v", errors.Join(err, unix.Unmount(point, unix.MNT_DETACH)))
		}
	})
	return point
}

// fillDisk leaves not one free block.
func fillDisk(t *testing.T, dir string) (filler string) {
	t.Helper()
	filler = filepath.Join(dir, "filler")
	f, err := os.Create(filler)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := 1 << 20; block >= 512; {
		if _, err := f.Write(make([]byte, block)); errors.Is(err, unix.ENOSPC) {
			block /= 2
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Sync(); err != nil && !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
	return filler
}

// MUST go on for as long as there is reserved space, also when the disk is full.
// MUST return nil only when the record is in the log: when the reserve is used up, Append fails.
func TestAFullDiskDoesNotStopLoginsForALongTime(t *testing.T) {
	for _, kind := range []string{"ext4", "xfs"} {
		t.Run(kind, func(t *testing.T) {
			disk := smallDisk(t, kind)
			path := filepath.Join(disk, "log", "audit.jsonl")
			key, err := Create(path)
			if err != nil {
				t.Fatal(err)
			}
			fill(t, path, 3)
			filler := fillDisk(t, disk)
			big := hostileEverywhere(strings.Repeat("x", maxText)) // 18 kB
			written := 3
			for ; err == nil; written++ {
				if written > 5000 {
					t.Fatal("the disk is not full")
				}
				err = Append(path, big)
			}
			written--
			if !errors.Is(err, unix.ENOSPC) && !strings.Contains(err.Error(), "short write") {
				t.Fatalf("after %d records: %v", written, err)
			}
			if size(t, path) < reserveLow {
				t.Errorf("only %d records, %d bytes, were written on a full disk", written, size(t, path))
			}
			for range 3 { // it goes on failing, and nothing gets worse
				if err := Append(path, big); err == nil {
					t.Error("appended to a full disk without a reserve")
				}
			}
			if report := verify(t, path, &key); report.First() != nil || report.Records != uint64(written) {
				t.Fatalf("%+v, want %d", report, written)
			}
			if err := os.Remove(filler); err != nil {
				t.Fatal(err)
			}
			fill(t, path, 3)
			if report := verify(t, path, &key); report.First() != nil || report.Records != uint64(written+3) {
				t.Fatalf("%+v, want %d", report, written+3)
			}
			if left := reserve(t, path); left < reserveLow {
				t.Errorf("only %d bytes are reserved again", left)
			}
		})
	}
}

// MUST NOT truncate the log: that frees the reserved space.
func TestATornTailOnAFullDiskKeepsTheReserve(t *testing.T) {
	disk := smallDisk(t, "ext4")
	path := filepath.Join(disk, "log", "audit.jsonl")
	key, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, path, 1)
	fillDisk(t, disk)
	for i := range 100 {
		appendBytes(t, path, fmt.Sprintf("torn %d", i))
		mustAppend(t, path, event(i))
	}
	mustBeWhole(t, path, key, 101, 100)
}

func TestALogThatCanOnlyBeAppendedTo(t *testing.T) {
	disk := smallDisk(t, "ext4")
	path := filepath.Join(disk, "log", "audit.jsonl")
	key, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := command(t, "chattr", "+a", path).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	appendBytes(t, path, "torn")
	fill(t, path, 5)
	mustBeWhole(t, path, key, 5, 1)
	if left := reserve(t, path); left < reserveLow {
		t.Errorf("only %d bytes are reserved", left)
	}
	if err := os.Truncate(path, 0); !errors.Is(err, unix.EPERM) {
		t.Errorf("truncated: %v", err)
	}
}
