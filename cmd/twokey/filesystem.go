package main

import (
	"errors"
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"

	"twokey/internal/safefile"
)

// noCopyOnWrite is FS_NOCOW_FL of linux/fs.h, which chattr(1) calls C.
const noCopyOnWrite = 0x00800000

// remoteFileSystems are those, by the f_type of statfs(2), on which a lock or a synchronised write does not mean what a login
// relies on, or on which another machine can change the files. FUSE does not say what is behind it.
func remoteFileSystems() map[uint32]string {
	return map[uint32]string{
		unix.NFS_SUPER_MAGIC:  "NFS",
		unix.SMB_SUPER_MAGIC:  "SMB",
		unix.CIFS_SUPER_MAGIC: "CIFS",
		unix.SMB2_SUPER_MAGIC: "SMB",
		unix.V9FS_MAGIC:       "9p",
		unix.FUSE_SUPER_MAGIC: "FUSE",
		unix.AFS_SUPER_MAGIC:  "AFS",
		unix.AFS_FS_MAGIC:     "AFS",
		unix.CEPH_SUPER_MAGIC: "Ceph",
		unix.CODA_SUPER_MAGIC: "Coda",
		0x0bd00bd0:            "Lustre",
	}
}

// checkLocal refuses a folder, which need not exist yet, on a network file system.
func checkLocal(folder string) error {
	var fs unix.Statfs_t
	at := filepath.Clean(folder)
	err := unix.Statfs(at, &fs)
	for errors.Is(err, unix.ENOENT) && at != "/" {
		at = filepath.Dir(at)
		err = unix.Statfs(at, &fs)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	if kind, remote := remoteFileSystems()[uint32(fs.Type)]; remote {
		return failed("%s lies on a network file system (%s), on which codes could be used twice and logins hang", folder, kind).
			hint("give twokey a folder on a local disk: paths in the configuration")
	}
	return nil
}

// keepInPlace has btrfs overwrite files of this directory in place: with its copies on write a full disk would stop logins. It
// counts for files that are made from now on.
func keepInPlace(dir *safefile.Dir) error {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(dir.Fd(), &fs); err != nil {
		return err
	}
	if uint32(fs.Type) != unix.BTRFS_SUPER_MAGIC {
		return nil
	}
	flags, err := unix.IoctlGetUint32(dir.Fd(), unix.FS_IOC_GETFLAGS)
	if err == nil && flags&noCopyOnWrite == 0 {
		err = unix.IoctlSetPointerInt(dir.Fd(), unix.FS_IOC_SETFLAGS, int(flags|noCopyOnWrite))
	}
	if err != nil {
		return fmt.Errorf("%s: chattr +C: %w", dir.Path(), err)
	}
	return nil
}
