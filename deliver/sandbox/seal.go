package sandbox

import (
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// rule allows a system call; with a mask, only if the argument with this index, under the mask, is want.
type rule struct {
	call uintptr
	arg  uint32
	mask uint32
	want uint32
}

// always are the calls that the Go runtime and its network client make, whatever their arguments.
var always = []uintptr{
	unix.SYS_READ, unix.SYS_READV, unix.SYS_PREAD64, unix.SYS_WRITE, unix.SYS_WRITEV, unix.SYS_CLOSE, unix.SYS_LSEEK,
	unix.SYS_FSTAT, unix.SYS_NEWFSTATAT, unix.SYS_GETDENTS64, unix.SYS_READLINKAT, // the system's roots, hosts, resolv.conf
	unix.SYS_MUNMAP, unix.SYS_MADVISE, unix.SYS_BRK,
	unix.SYS_RT_SIGACTION, unix.SYS_RT_SIGPROCMASK, unix.SYS_RT_SIGRETURN, unix.SYS_SIGALTSTACK,
	unix.SYS_FUTEX, unix.SYS_NANOSLEEP, unix.SYS_CLOCK_NANOSLEEP, unix.SYS_CLOCK_GETTIME, unix.SYS_GETTIMEOFDAY, unix.SYS_RESTART_SYSCALL,
	unix.SYS_SCHED_YIELD, unix.SYS_SCHED_GETAFFINITY, unix.SYS_GETPID, unix.SYS_GETTID, unix.SYS_GETRANDOM, unix.SYS_UNAME,
	unix.SYS_EXIT, unix.SYS_EXIT_GROUP,
	unix.SYS_EPOLL_CREATE1, unix.SYS_EPOLL_CTL, unix.SYS_EPOLL_PWAIT, unix.SYS_EVENTFD2,
	unix.SYS_CONNECT, unix.SYS_BIND, unix.SYS_GETSOCKNAME, unix.SYS_GETPEERNAME, unix.SYS_SETSOCKOPT, unix.SYS_GETSOCKOPT,
	unix.SYS_SENDTO, unix.SYS_SENDMSG, unix.SYS_RECVFROM, unix.SYS_RECVMSG, unix.SYS_SHUTDOWN,
}

// sometimes are the calls whose arguments decide.
func sometimes() []rule {
	const (
		all     = 0xffffffff
		writing = unix.O_ACCMODE | unix.O_CREAT | unix.O_TRUNC
	)
	return []rule{
		{unix.SYS_OPENAT, 2, writing, unix.O_RDONLY},
		{unix.SYS_SOCKET, 0, all, unix.AF_INET},
		{unix.SYS_SOCKET, 0, all, unix.AF_INET6},
		{unix.SYS_CLONE, 0, unix.CLONE_THREAD | unix.CLONE_VM, unix.CLONE_THREAD | unix.CLONE_VM},
		{unix.SYS_MMAP, 2, unix.PROT_EXEC, 0},
		{unix.SYS_MPROTECT, 2, unix.PROT_EXEC, 0},
		// Not F_SETOWN: with F_SETSIG a datagram to oneself kills whatever runs as the same user.
		{unix.SYS_FCNTL, 1, all, unix.F_GETFL},
		{unix.SYS_FCNTL, 1, all, unix.F_SETFL},
		{unix.SYS_FCNTL, 1, all, unix.F_GETFD},
		{unix.SYS_FCNTL, 1, all, unix.F_SETFD},
		{unix.SYS_FCNTL, 1, all, unix.F_DUPFD_CLOEXEC},
		{unix.SYS_TGKILL, 0, all, uint32(os.Getpid())}, // the runtime interrupts its threads
	}
}

// architectures are those whose numbers of system calls this program was built with.
var architectures = map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}

// Seal allows from now on, for all threads, only the calls of the lists above: every other one fails with EPERM. There is no way back.
func Seal() error {
	arch, known := architectures[runtime.GOARCH]
	if !known {
		return fmt.Errorf("seccomp: not known how on %s", runtime.GOARCH)
	}
	filter := compile(arch)
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	thread, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return fmt.Errorf("seccomp: %w", errno)
	}
	if thread != 0 {
		return fmt.Errorf("seccomp: thread %d cannot be sealed", thread)
	}
	return nil
}

// Offsets in struct seccomp_data, seccomp(2); both architectures are little-endian.
const (
	offsetCall = 0
	offsetArch = 4
	offsetArgs = 16
)

// compile writes the filter: each rule is a few steps that allow, or go on behind them.
func compile(arch uint32) []unix.SockFilter {
	load := func(offset uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
	}
	equal := func(k uint32, otherwise uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: otherwise, K: k}
	}
	and := func(mask uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: mask}
	}
	end := func(action uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: action}
	}
	filter := []unix.SockFilter{
		load(offsetArch),
		// A call by another architecture's entry has other numbers: 11 is execve there.
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: 1, K: arch},
		end(unix.SECCOMP_RET_KILL_PROCESS),
	}
	for _, call := range always {
		filter = append(filter, load(offsetCall), equal(uint32(call), 1), end(unix.SECCOMP_RET_ALLOW))
	}
	for _, r := range sometimes() {
		filter = append(filter, load(offsetCall), equal(uint32(r.call), 4),
			load(offsetArgs+8*r.arg), and(r.mask), equal(r.want, 1), end(unix.SECCOMP_RET_ALLOW))
	}
	return append(filter, end(unix.SECCOMP_RET_ERRNO|uint32(unix.EPERM)))
}
