// Command probetest enters the sandbox as twokey-notify does and then tries what its argument names, for the sandbox's tests. It prints
// what came of it. With a second argument it is not sealed before: what fails then too shows nothing.
package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"twokey/deliver/sandbox"
)

func main() {
	if err := sandbox.Protect(); err != nil {
		fmt.Println(err)
		os.Exit(2)
	}
	if os.Args[1] == "status" { // before it is sealed: with a command it stays so
		fmt.Println(status())
		return
	}
	// The seal must hold for threads that were there before it.
	started, sealed := make(chan bool), make(chan bool)
	done := make(chan string)
	go func() {
		runtime.LockOSThread()
		close(started)
		<-sealed
		done <- try(os.Args[1])
	}()
	<-started
	if len(os.Args) == 2 {
		if err := sandbox.Seal(); err != nil {
			fmt.Println(err)
			os.Exit(2)
		}
	}
	close(sealed)
	fmt.Println(<-done)
}

func try(what string) string {
	tries := map[string]func() error{
		"exec":               func() error { return syscall.Exec("/bin/true", []string{"true"}, nil) },
		"start":              func() error { return exec.Command("/bin/true").Run() },
		"ptrace":             func() error { return unix.PtraceAttach(1 << 22) },
		"read memory":        func() error { _, err := unix.ProcessVMReadv(os.Getpid(), nil, nil, 0); return err },
		"kill":               func() error { return unix.Kill(os.Getpid(), 0) },
		"tgkill":             func() error { return unix.Tgkill(1<<22, 1<<22, 0) },
		"signal by a socket": func() error { return owned() },
		"open to write":      func() error { return opened("/dev/null", unix.O_WRONLY) },
		"open to both":       func() error { return opened("/dev/null", unix.O_RDWR) },
		"make a file": func() error {
			return opened(fmt.Sprintf("/tmp/twokey-probe-%d", os.Getpid()), unix.O_RDONLY|unix.O_CREAT)
		},
		"truncate":       func() error { return unix.Truncate("/tmp/none", 0) },
		"unlink":         func() error { return unix.Unlink("/tmp/none") },
		"rename":         func() error { return unix.Rename("/tmp/none", "/tmp/none2") },
		"mkdir":          func() error { return unix.Mkdir("/tmp/none/none", 0o700) },
		"unix socket":    func() error { return socket(unix.AF_UNIX, unix.SOCK_STREAM) },
		"netlink socket": func() error { return socket(unix.AF_NETLINK, unix.SOCK_RAW) },
		"new namespace":  func() error { return unix.Unshare(unix.CLONE_NEWUSER) },
		"setuid":         func() error { return unix.Setuid(os.Getuid()) },
		"code in memory": func() error {
			_, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANON)
			return err
		},
		"memfd":       func() error { _, err := unix.MemfdCreate("x", 0); return err },
		"listen":      func() error { l, err := net.Listen("tcp", "127.0.0.1:0"); return closed(l, err) },
		"dumpable":    func() error { return unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0) },
		"read a file": func() error { return opened("/etc/hosts", unix.O_RDONLY) },
		"tcp socket":  func() error { return socket(unix.AF_INET, unix.SOCK_STREAM) },
		"udp6 socket": func() error { return socket(unix.AF_INET6, unix.SOCK_DGRAM) },
		"threads":     threads,
	}
	f, known := tries[what]
	if !known {
		return "no such try"
	}
	return fmt.Sprint(f())
}

func opened(path string, flags int) error {
	fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

func socket(family, kind int) error {
	fd, err := unix.Socket(family, kind, 0)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

// owned is the first step of a signal without kill(2): F_SETOWN says whom a socket's events go to.
func owned() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	_, err = unix.FcntlInt(uintptr(fd), unix.F_SETOWN, os.Getpid())
	return errors.Join(err, unix.Close(fd))
}

func closed(l net.Listener, err error) error {
	if err != nil {
		return err
	}
	return l.Close()
}

// threads needs new ones after the seal.
func threads() error {
	done := make(chan bool)
	for range 20 {
		go func() {
			runtime.LockOSThread()
			done <- true
		}()
	}
	for range 20 {
		<-done
	}
	return nil
}

// status is what the kernel says of the process and its threads.
func status() string {
	dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	if err != nil {
		return err.Error()
	}
	var core unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &core); err != nil {
		return err.Error()
	}
	privileges := make(chan int)
	go func() {
		runtime.LockOSThread()
		n, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
		if err != nil {
			n = -1
		}
		privileges <- n
	}()
	return fmt.Sprintf("dumpable %d, core %d %d, no new privileges %d", dumpable, core.Cur, core.Max, <-privileges)
}
