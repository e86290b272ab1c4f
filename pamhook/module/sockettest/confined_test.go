package sockettest

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// confinement is what a unit leaves of the system calls and the address families of sockets, as numbers.
type confinement struct {
	Calls    []uint32
	Families []uint32
}

// confinementOf reads it from a unit. What is taken out is left out.
func confinementOf(t *testing.T, unit string, without ...string) (c confinement) {
	t.Helper()
	numbers := callNumbers(t)
	for call, may := range allowed(t, unit) {
		if number, known := numbers[call]; may && known && !slices.Contains(without, call) {
			c.Calls = append(c.Calls, number)
		}
	}
	families := map[string]uint32{"AF_UNIX": unix.AF_UNIX, "AF_INET": unix.AF_INET, "AF_INET6": unix.AF_INET6, "AF_NETLINK": unix.AF_NETLINK}
	for _, name := range strings.Fields(values(t, unit, "RestrictAddressFamilies")[0]) {
		number, known := families[name]
		if !known {
			t.Fatalf("%s: %s is not known", unit, name)
		}
		if !slices.Contains(without, name) {
			c.Families = append(c.Families, number)
		}
	}
	return c
}

// callNumbers are those of this machine's system calls, as the C compiler knows them.
func callNumbers(t *testing.T) map[string]uint32 {
	t.Helper()
	cpp := exec.Command("gcc", "-E", "-dM", "-")
	cpp.Stdin = strings.NewReader("#include <asm/unistd.h>\n")
	out, err := cpp.Output()
	must(t, err)
	numbers := map[string]uint32{}
	for _, found := range regexp.MustCompile(`(?m)^#define __NR_(\w+) (\d+)$`).FindAllStringSubmatch(string(out), -1) {
		number, err := strconv.ParseUint(found[2], 10, 32)
		must(t, err)
		numbers[found[1]] = uint32(number)
	}
	if len(numbers) < 250 {
		t.Fatalf("only %d system calls are known", len(numbers))
	}
	return numbers
}

// confine is the command that starts a program so confined.
func (c confinement) confine(t *testing.T, dir string, program ...string) []string {
	t.Helper()
	content, err := json.Marshal(c)
	must(t, err)
	file := filepath.Join(dir, "confinement")
	must(t, os.WriteFile(file, content, 0o600))
	return append([]string{self, confinedWord, file}, program...)
}

const confinedWord = "confined"

// confined is the process that confines itself and becomes the program.
func confined() {
	if len(os.Args) < 4 || os.Args[1] != confinedWord {
		return
	}
	content, err := os.ReadFile(os.Args[2])
	var c confinement
	if err == nil {
		err = json.Unmarshal(content, &c)
	}
	if err == nil {
		err = c.enter()
	}
	if err == nil {
		err = syscall.Exec(os.Args[3], os.Args[3:], os.Environ())
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// enter does what systemd does for SystemCallFilter= with SystemCallErrorNumber=EPERM, and for RestrictAddressFamilies=. NoNewPrivileges= is
// there already.
func (c confinement) enter() error {
	load := func(offset uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
	}
	unless := func(k uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: k}
	}
	end := func(action uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: action}
	}
	filter := []unix.SockFilter{load(0)}
	for _, call := range c.Calls {
		if call != unix.SYS_SOCKET {
			filter = append(filter, unless(call), end(unix.SECCOMP_RET_ALLOW))
		}
	}
	filter = append(filter, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: 1, K: unix.SYS_SOCKET},
		end(unix.SECCOMP_RET_ERRNO|uint32(unix.EPERM)), load(16))
	for _, family := range c.Families {
		filter = append(filter, unless(family), end(unix.SECCOMP_RET_ALLOW))
	}
	filter = append(filter, end(unix.SECCOMP_RET_ERRNO|uint32(unix.EAFNOSUPPORT)))
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return errno
	}
	return nil
}
