package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The small file system is mounted in a mount namespace of the child's own: however the test ends, the kernel unmounts it and
// frees the loop device.
func TestOnAFullDiskLoginsGoOnAndEnrolmentFailsCleanly(t *testing.T) {
	data := t.TempDir()
	image := filepath.Join(data, "image")
	if err := errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, 8<<20), os.Mkdir(filepath.Join(data, "disk"), 0o700)); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mkfs.ext4", "-q", image).CombinedOutput(); err != nil {
		t.Fatalf("mkfs.ext4: %v: %s", err, out)
	}
	cmd := childCommand(t, "full disk", data)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	if out, err := cmd.Output(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func childFullDisk(data string) error {
	disk := filepath.Join(data, "disk")
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	if out, err := exec.Command("mount", "-o", "loop", filepath.Join(data, "image"), disk).CombinedOutput(); err != nil {
		return fmt.Errorf("mount: %w: %s", err, out)
	}
	store, err := Create(filepath.Join(disk, "data"))
	if err != nil {
		return err
	}
	if err := errors.Join(store.New(example()), store.Bind(1000, "alice"), fill(disk)); err != nil {
		return err
	}
	if err := errors.Join(loginsOnFullDisk(store), enrolOnFullDisk(store, disk)); err != nil {
		return err
	}
	if err := os.RemoveAll(filepath.Join(disk, "filler")); err != nil {
		return err
	}
	if err := store.New(&State{User: "bob", UID: 1001}); err != nil {
		return fmt.Errorf("with space again: %w", err)
	}
	return readOnly(store, disk)
}

// fill takes all space, and all that is left after that in smaller pieces.
func fill(disk string) error {
	folder := filepath.Join(disk, "filler")
	if err := os.Mkdir(folder, 0o700); err != nil {
		return err
	}
	for i, size := range []int{1 << 20, 4096, 1, 1} {
		f, err := os.Create(filepath.Join(folder, fmt.Sprint(i)))
		if err != nil {
			return err
		}
		for err == nil {
			if _, err = f.Write(make([]byte, size)); err == nil {
				err = f.Sync()
			}
		}
		if err := f.Close(); err != nil {
			return err
		}
		if !errors.Is(err, unix.ENOSPC) {
			return fmt.Errorf("filling ended with %w", err)
		}
	}
	return nil
}

func loginsOnFullDisk(store *Store) error {
	before, err := store.Read("alice")
	if err != nil {
		return err
	}
	const logins = 20
	for i := range logins {
		err := store.Update("alice", func(tx *Tx) error {
			a := Attempt{fmt.Sprint("192.0.2.", i), ID{byte(i)}, One, noon}
			tx.Charge(a)
			if err := tx.Flush(); err != nil {
				return err
			}
			tx.Devices[0].Consumed++
			tx.Succeeded(a)
			return nil
		})
		if err != nil {
			return fmt.Errorf("login %d on a full disk: %w", i, err)
		}
	}
	after, err := store.Read("alice")
	if err == nil && after.Devices[0].Consumed != before.Devices[0].Consumed+logins {
		err = fmt.Errorf("consumed went from %d to %d", before.Devices[0].Consumed, after.Devices[0].Consumed)
	}
	return err
}

func enrolOnFullDisk(store *Store, disk string) error {
	if err := store.New(&State{User: "bob", UID: 1001}); !errors.Is(err, unix.ENOSPC) {
		return fmt.Errorf("new state on a full disk: %w, want ENOSPC", err)
	}
	if _, err := store.Read("bob"); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("after that bob's state: %w, want fs.ErrNotExist", err)
	}
	for _, owner := range []string{"bob", "alice"} { // ext4 has room for it in the inode
		if err := store.Bind(1000, owner); err != nil {
			return fmt.Errorf("bind on a full disk: %w", err)
		}
		if name, err := store.NameOf(1000); name != owner || err != nil {
			return fmt.Errorf("after that 1000 is %q's: %w", name, err)
		}
	}
	for folder, want := range map[string]int{"state": 1, "uids": 1} {
		names, err := os.ReadDir(filepath.Join(disk, "data", folder))
		if err != nil || len(names) != want {
			return fmt.Errorf("left behind in %s: %v, %w", folder, names, err)
		}
	}
	return nil
}

func readOnly(store *Store, disk string) error {
	if err := unix.Mount("", disk, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		return err
	}
	err := store.Update("alice", func(*Tx) error { return errors.New("fn was called") })
	if !errors.Is(err, unix.EROFS) {
		return fmt.Errorf("on a disk that is read-only: %w, want EROFS", err)
	}
	return nil
}
