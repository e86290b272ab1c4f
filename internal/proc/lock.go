package proc

import (
	"bytes"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// LockHolder finds a process other than the calling one that holds an open file description lock for writing (fcntl(2),
// F_OFD_SETLK) on the file with this device and inode number. The kernel says so: nothing is taken from the file. The process
// first is looked at before all others, since to look at all takes milliseconds; 0 is none.
//
// It is false when there is none that the caller can see: one in another pid namespace is invisible, one that is not dumpable
// needs CAP_SYS_PTRACE, and on btrfs the kernel shows another device number than stat(2).
func LockHolder(dev, ino uint64, first int) (ID, bool) {
	file := fmt.Sprintf("%02x:%02x:%d", unix.Major(dev), unix.Minor(dev), ino)
	if holds(first, file) {
		if id, err := Of(first); err == nil {
			return id, true
		}
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return ID{}, false
	}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || !holds(pid, file) {
			continue
		}
		if id, err := Of(pid); err == nil {
			return id, true
		}
	}
	return ID{}, false
}

// holds reads the locks that /proc/PID/fdinfo shows for each descriptor of a process (proc_pid_fdinfo(5)).
func holds(pid int, file string) bool {
	if pid == os.Getpid() {
		return false
	}
	dir := "/proc/" + strconv.Itoa(pid) + "/fdinfo/"
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false // it has ended, or is not ours to look at
	}
	for _, entry := range entries {
		info, err := read(dir + entry.Name())
		if err == nil && showsLock(info, file) {
			return true
		}
	}
	return false
}

// showsLock looks for a line such as "lock:  1: OFDLCK ADVISORY  WRITE -1 fe:00:9978057 0 EOF".
func showsLock(fdinfo []byte, file string) bool {
	for line := range bytes.Lines(fdinfo) {
		f := bytes.Fields(line)
		if len(f) >= 7 && string(f[0]) == "lock:" && string(f[2]) == "OFDLCK" && string(f[4]) == "WRITE" && string(f[6]) == file {
			return true
		}
	}
	return false
}
