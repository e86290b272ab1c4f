package archtest

import (
	"fmt"
	"go/ast"
	"slices"
	"strings"
	"testing"
)

// rule finds what breaks it.
type rule func(*tree) []string

// rules are all of them.
var rules = map[string]rule{
	"the import table":                  importTable,
	"what is never reached":             neverReached,
	"what is never imported":            neverImported,
	"tests' packages are for tests":     testsOnly,
	"only safefile opens files":         onlySafefileOpens,
	"no clock where time is given":      noClock,
	"only print.go and fault print":     onlyPrintPrints,
	"no dot imports, no unsafe, no cgo": noWaysRound,
}

// mayImport is the import table: what of ours a package may import, beside nothing. Every package of the product is in it.
var mayImport = []struct {
	packages []string
	allowed  []string
}{
	{[]string{"factor", "policy", "pamhook/wire"}, nil},
	{[]string{"internal/..."}, []string{"internal/..."}},
	{[]string{"secrets", "state", "audit"}, []string{"internal/..."}},
	{[]string{"deliver"}, []string{"internal/..."}},
	{[]string{"deliver/provider", "deliver/sandbox"}, []string{"deliver", "internal/..."}},
	{[]string{"policy/inforce"}, []string{"policy", "internal/..."}},
	{[]string{"messenger"}, []string{"policy", "factor", "deliver", "internal/..."}},
	{[]string{"device"}, []string{"secrets", "factor", "state"}},
	{[]string{"doctor"}, []string{"policy", "policy/inforce", "secrets", "state", "audit", "internal/..."}},
	{[]string{"pamhook"}, []string{"policy", "policy/inforce", "secrets", "factor", "state", "audit", "device", "pamhook/wire", "internal/..."}},
	// What a misspelt field was meant to be is found as in the configuration.
	{[]string{"enroll/batch"}, []string{"policy", "secrets", "factor", "state", "audit", "device", "enroll/...", "internal/..."}},
	{[]string{"enroll/..."}, []string{"secrets", "factor", "state", "audit", "device", "enroll/...", "internal/..."}},
	{[]string{"cmd/twokey-verify"}, []string{"pamhook", "pamhook/wire", "policy/inforce", "secrets", "state", "audit", "enroll", "enroll/qr", "factor", "deliver", "messenger", "internal/..."}},
	{[]string{"cmd/twokey-notify"}, []string{"deliver/...", "internal/..."}},
	{[]string{"cmd/twokey"}, []string{"enroll/...", "device", "doctor", "factor", "policy", "policy/inforce", "secrets", "state", "audit", "deliver/...", "messenger", "internal/..."}},
}

func importTable(tr *tree) (found []string) {
	for _, p := range tr.packages {
		if p.forTests() {
			continue
		}
		row := slices.IndexFunc(mayImport, func(row struct{ packages, allowed []string }) bool { return p.is(row.packages...) })
		if row < 0 {
			found = append(found, fmt.Sprintf("%s is not in the import table", p.name))
			continue
		}
		for _, name := range p.ours() {
			if !matches(name, mayImport[row].allowed) {
				found = append(found, fmt.Sprintf("%s imports %s", p.name, name))
			}
		}
	}
	return found
}

const (
	cliLibrary = "github.com/urfave/cli/v2"
	pamLibrary = "github.com/msteinert/pam/v2"
)

// mustNotReach is what a package must not reach, through whatever it imports.
var mustNotReach = []struct {
	packages []string
	never    []string
}{
	{[]string{"factor", "policy", "pamhook/wire"}, []string{"os/exec", "net", "log/syslog"}},
	{[]string{"device", "secrets", "state", "audit", "policy/inforce"}, []string{"os/exec", "net", "log/syslog", cliLibrary}},
	{[]string{"pamhook"}, []string{"os/exec", "net", "net/http", "log/syslog", cliLibrary, pamLibrary, module + "/enroll", module + "/internal/sysuser"}},
	{[]string{"enroll/..."}, []string{"net/http", cliLibrary, module + "/pamhook", module + "/pamhook/wire"}},
	{[]string{"deliver/..."}, []string{module + "/secrets", module + "/state", module + "/policy", module + "/audit"}},
	// A login links it.
	{[]string{"deliver", "messenger"}, []string{"net", "net/http", "os/exec", module + "/deliver/provider"}},
	// It only looks: no network, no login, nothing that enrols or prints.
	{[]string{"doctor"}, []string{"net", "net/http", "log/syslog", cliLibrary, pamLibrary, module + "/pamhook", module + "/enroll"}},
	// It runs as root in every login: no network, and as little as can be that somebody could make it do.
	{[]string{"cmd/twokey-verify"}, []string{"net", "net/http", "log/syslog", "os/exec", "os/user", "plugin", cliLibrary, pamLibrary}},
	{[]string{"cmd/twokey-notify"}, []string{module + "/secrets", module + "/state", module + "/policy", module + "/audit", cliLibrary}},
	{[]string{"cmd/twokey"}, []string{module + "/pamhook", module + "/pamhook/wire"}},
}

func neverReached(tr *tree) (found []string) {
	for _, p := range tr.packages {
		if p.forTests() {
			continue
		}
		for _, row := range mustNotReach {
			if !p.is(row.packages...) {
				continue
			}
			for _, never := range row.never {
				if slices.Contains(p.reaches, never) {
					found = append(found, fmt.Sprintf("%s reaches %s", p.name, never))
				}
			}
		}
	}
	return found
}

// neverImported: packages that are pure reach os through fmt, but have no business with it themselves.
func neverImported(tr *tree) (found []string) {
	for _, p := range tr.packages {
		if !p.is("factor", "policy", "pamhook/wire") {
			continue
		}
		for _, never := range []string{"os", "os/signal", "os/user", "syscall", "golang.org/x/sys/unix", "log", "log/slog", "log/syslog"} {
			if slices.Contains(p.imports, never) {
				found = append(found, fmt.Sprintf("%s imports %s", p.name, never))
			}
		}
	}
	return found
}

// testsOnly: what tests use may open files and print; so nothing of the product may use that.
func testsOnly(tr *tree) (found []string) {
	for _, p := range tr.packages {
		if p.forTests() {
			continue
		}
		for _, reached := range p.reaches {
			name, own := strings.CutPrefix(reached, module+"/")
			if reached == "testing" || own && forTests(name) {
				found = append(found, fmt.Sprintf("%s reaches %s", p.name, reached))
			}
		}
	}
	return found
}

// opening are the functions that open, make, change or remove a file by its path.
var opening = map[string][]string{
	"os": {
		"Open", "OpenFile", "OpenRoot", "OpenInRoot", "Create", "CreateTemp", "MkdirTemp", "ReadFile", "WriteFile", "ReadDir", "CopyFS", "DirFS",
		"Mkdir", "MkdirAll", "Remove", "RemoveAll", "Rename", "Link", "Symlink", "Readlink", "Chmod", "Chown", "Lchown", "Chtimes", "Truncate",
		"StartProcess",
	},
	"golang.org/x/sys/unix": {
		"Open", "Openat", "Openat2", "Creat", "Mkdir", "Mkdirat", "Mknod", "Mknodat", "Mkfifo", "Mkfifoat", "Unlink", "Rmdir", "Rename", "Link",
		"Linkat", "Symlink", "Symlinkat", "Readlink", "Chmod", "Chown", "Lchown", "Truncate", "OpenByHandleAt", "Exec", "ForkExec",
	},
	"syscall": {
		"Open", "Openat", "Creat", "Mkdir", "Mkdirat", "Mknod", "Mkfifo", "Unlink", "Unlinkat", "Rmdir", "Rename", "Renameat", "Link", "Symlink",
		"Readlink", "Chmod", "Chown", "Lchown", "Truncate", "Exec", "ForkExec", "StartProcess", "Syscall", "Syscall6", "RawSyscall", "RawSyscall6",
	},
	"io/ioutil":     {"ReadFile", "WriteFile", "ReadDir", "TempFile", "TempDir"},
	"path/filepath": {"Walk", "WalkDir", "Glob", "EvalSymlinks"},
}

// mayOpen says who opens what without safefile, and why that is right.
var mayOpen = map[string]string{
	"deliver/running.go OpenFile":        "/dev/null, which twokey-notify gets for what it would complain of",
	"deliver/running.go StartProcess":    "twokey-notify, as a user that owns nothing",
	"deliver/provider/roots.go Readlink": "the links to the program of sms.command; nothing of it is read",
	"doctor/phones.go EvalSymlinks":      "where the program of sms.command is; nothing of it is read",
	"deliver/provider/listener.go Open":  "/proc/self/net/tcp, which the kernel writes",
	"internal/proc/read.go Open":         "/proc/PID/stat and /proc/PID/fdinfo, which the kernel writes",
	"internal/proc/lock.go ReadDir":      "/proc and /proc/PID/fdinfo, which the kernel writes",
	"cmd/twokey/picture.go Open":         "the administrator's folder, as a place only (O_PATH), for the picture that safefile writes",
}

// onlySafefileOpens: one forgotten open that follows a link is a hole (fscrypt, 2026).
func onlySafefileOpens(tr *tree) (found []string) {
	for _, p := range tr.packages {
		if p.forTests() || p.is("internal/safefile") {
			continue
		}
		for _, f := range p.files {
			for imported, names := range opening {
				f.uses(imported, func(name string, n ast.Node) {
					if slices.Contains(names, name) && mayOpen[p.name+"/"+f.name+" "+name] == "" {
						found = append(found, fmt.Sprintf("%s uses %s.%s", tr.at(f, n), imported, name))
					}
				})
			}
		}
	}
	return found
}

// noClock: where the time is an argument, a test can say what time it is, and a login has one time.
func noClock(tr *tree) (found []string) {
	for _, p := range tr.packages {
		if !p.is("factor", "policy/...", "pamhook", "pamhook/wire", "secrets", "state", "audit", "device", "doctor", "enroll/...") || p.forTests() {
			continue
		}
		for _, f := range p.files {
			f.uses("time", func(name string, n ast.Node) {
				if slices.Contains([]string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTicker", "NewTimer"}, name) {
					found = append(found, fmt.Sprintf("%s uses time.%s", tr.at(f, n), name))
				}
			})
		}
	}
	return found
}

// mayPrint are the files that write to standard output or standard error, or hand them on.
var mayPrint = []string{"cmd/twokey/print.go", "cmd/twokey/main.go", "cmd/twokey-verify/main.go", "cmd/twokey-notify/main.go"}

// onlyPrintPrints: what is printed in one place is made safe for a terminal in one place.
func onlyPrintPrints(tr *tree) (found []string) {
	for _, p := range tr.packages {
		if p.forTests() {
			continue
		}
		for _, f := range p.files {
			if !slices.Contains(mayPrint, p.name+"/"+f.name) {
				found = append(found, tr.prints(f)...)
			}
		}
	}
	return found
}

func (tr *tree) prints(f *file) (found []string) {
	report := func(what string, n ast.Node) { found = append(found, fmt.Sprintf("%s uses %s", tr.at(f, n), what)) }
	f.uses("fmt", func(name string, n ast.Node) {
		if strings.HasPrefix(name, "Print") {
			report("fmt."+name, n)
		}
	})
	f.uses("os", func(name string, n ast.Node) {
		if name == "Stdout" || name == "Stderr" {
			report("os."+name, n)
		}
	})
	for _, logger := range []string{"log", "log/slog", "log/syslog"} {
		if _, ok := f.importedAs()[logger]; ok {
			report(logger, f.ast.Name)
		}
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if name, ok := n.Fun.(*ast.Ident); ok && (name.Name == "print" || name.Name == "println") {
				report(name.Name, n)
			}
		case *ast.SelectorExpr:
			if f.pkg.is("cmd/twokey") && (n.Sel.Name == "out" || n.Sel.Name == "err") && isUI(n.X) {
				report("the ui's "+n.Sel.Name, n)
			}
		}
		return true
	})
	return found
}

// isUI tells the command line's ui by the names that it has there: ui, u, h.ui.
func isUI(x ast.Expr) bool {
	switch x := x.(type) {
	case *ast.Ident:
		return x.Name == "ui" || x.Name == "u"
	case *ast.SelectorExpr:
		return x.Sel.Name == "ui"
	}
	return false
}

// noWaysRound: the other rules read names, and these would hide them. Only the name service needs C, and only seccomp(2) an address.
func noWaysRound(tr *tree) (found []string) {
	for _, p := range tr.packages {
		if p.forTests() {
			continue
		}
		for _, f := range p.files {
			for imported, as := range f.importedAs() {
				cgo := imported == "C" || imported == "unsafe"
				allowed := p.is("internal/sysuser") || imported == "unsafe" && p.is("deliver/sandbox")
				if as == "." || cgo && !allowed || imported == "plugin" {
					found = append(found, fmt.Sprintf("%s/%s imports %q as %q", p.name, f.name, imported, as))
				}
			}
			for _, group := range f.ast.Comments {
				for _, comment := range group.List {
					if strings.HasPrefix(comment.Text, "//go:linkname") {
						found = append(found, fmt.Sprintf("%s links to another package's name", tr.at(f, comment)))
					}
				}
			}
		}
	}
	return found
}

func TestTheProductKeepsTheRules(t *testing.T) {
	tr := load(t, "../..")
	if len(tr.packages) < 15 {
		t.Fatalf("%d packages: the product was not found", len(tr.packages))
	}
	for name, find := range rules {
		for _, violation := range find(tr) {
			t.Errorf("%s: %s", name, violation)
		}
	}
	for allowed := range mayOpen {
		if !tr.opens(allowed) {
			t.Errorf("%s is allowed and not used any more", allowed)
		}
	}
}

// opens reports whether an exception is one.
func (tr *tree) opens(allowed string) bool {
	where, what, _ := strings.Cut(allowed, " ")
	used := false
	for _, p := range tr.packages {
		for _, f := range p.files {
			if p.name+"/"+f.name != where {
				continue
			}
			for imported := range opening {
				f.uses(imported, func(name string, _ ast.Node) { used = used || name == what })
			}
		}
	}
	return used
}
