package archtest

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// violation is a made-up module that breaks one rule.
type violation struct {
	rule  string
	files map[string]string // by path in the module: the source, without its package clause where that follows from the folder
	want  string            // what the rule says, the first of its findings
}

// one is a module with one file.
func one(rule, file, source, want string) violation {
	return violation{rule, map[string]string{file: source}, want}
}

// imports is a module in which one package imports another of ours.
func imports(importer, imported, want string) violation {
	return violation{"the import table", map[string]string{
		importer + "/a.go": `import _ "twokey/` + imported + `"`,
		imported + "/b.go": "",
	}, want}
}

// reaches is a module in which one package reaches another through a third one.
func reaches(first, last, want string) violation {
	return violation{"what is never reached", map[string]string{
		first + "/a.go":         `import _ "twokey/internal/between"`,
		"internal/between/b.go": `import _ "` + last + `"`,
	}, want}
}

const (
	opens  = "only safefile opens files"
	clock  = "no clock where time is given"
	prints = "only print.go and fault print"
	round  = "no dot imports, no unsafe, no cgo"
)

var violations = map[string]violation{
	"factor with something of ours":        imports("factor", "internal/proc", "factor imports internal/proc"),
	"policy with something of ours":        imports("policy", "factor", "policy imports factor"),
	"the wire with something of ours":      imports("pamhook/wire", "policy", "pamhook/wire imports policy"),
	"internal with the product":            imports("internal/slotfile", "state", "internal/slotfile imports state"),
	"secrets with state":                   imports("secrets", "state", "secrets imports state"),
	"state with secrets":                   imports("state", "secrets", "state imports secrets"),
	"audit with state":                     imports("audit", "state", "audit imports state"),
	"state with enroll":                    imports("state", "enroll", "state imports enroll"),
	"inforce with state":                   imports("policy/inforce", "state", "policy/inforce imports state"),
	"device with the policy":               imports("device", "policy", "device imports policy"),
	"device with the file system":          imports("device", "internal/safefile", "device imports internal/safefile"),
	"pamhook with enroll":                  imports("pamhook", "enroll", "pamhook imports enroll"),
	"enroll with pamhook":                  imports("enroll", "pamhook", "enroll imports pamhook"),
	"a part of enroll with the policy":     imports("enroll/qr", "policy", "enroll/qr imports policy"),
	"doctor with enroll":                   imports("doctor", "enroll", "doctor imports enroll"),
	"doctor with the device":               imports("doctor", "device", "doctor imports device"),
	"deliver with secrets":                 imports("deliver", "secrets", "deliver imports secrets"),
	"the command line with the wire":       imports("cmd/twokey", "pamhook/wire", "cmd/twokey imports pamhook/wire"),
	"the command line with the login":      imports("cmd/twokey", "pamhook", "cmd/twokey imports pamhook"),
	"the notifier with secrets":            imports("cmd/twokey-notify", "secrets", "cmd/twokey-notify imports secrets"),
	"a package that nobody has thought of": one("the import table", "util/a.go", "", "util is not in the import table"),
	"a package below one in the table":     one("the import table", "state/cache/a.go", "", "state/cache is not in the import table"),

	"factor that starts programs":            reaches("factor", "os/exec", "factor reaches os/exec"),
	"a policy with a network":                reaches("policy", "net", "policy reaches net"),
	"a wire with a network":                  reaches("pamhook/wire", "net", "pamhook/wire reaches net"),
	"secrets that start programs":            reaches("secrets", "os/exec", "secrets reaches os/exec"),
	"an audit log that calls the daemon":     reaches("audit", "log/syslog", "audit reaches net"),
	"state with the library of commands":     reaches("state", cliLibrary, "state reaches "+cliLibrary),
	"a login with a web client":              reaches("pamhook", "net/http", "pamhook reaches net"),
	"a login that enrols by itself":          reaches("pamhook", "twokey/enroll", "pamhook reaches twokey/enroll"),
	"a login that asks libc":                 reaches("pamhook", "twokey/internal/sysuser", "pamhook reaches twokey/internal/sysuser"),
	"enrolment with the library of commands": reaches("enroll", cliLibrary, "enroll reaches "+cliLibrary),
	"a doctor with a network":                reaches("doctor", "net", "doctor reaches net"),
	"a doctor that enrols":                   reaches("doctor", "twokey/enroll", "doctor reaches twokey/enroll"),
	"a provider that reads the policy":       reaches("deliver", "twokey/policy", "deliver reaches twokey/policy"),
	"a helper with a network":                reaches("cmd/twokey-verify", "net", "cmd/twokey-verify reaches net"),
	"a helper with a web client":             reaches("cmd/twokey-verify", "net/http", "cmd/twokey-verify reaches net"),
	"a helper with the standard syslog":      reaches("cmd/twokey-verify", "log/syslog", "cmd/twokey-verify reaches net"),
	"a helper with libc's users":             reaches("cmd/twokey-verify", "os/user", "cmd/twokey-verify reaches os/user"),
	"a helper with plugins":                  reaches("cmd/twokey-verify", "plugin", "cmd/twokey-verify reaches plugin"),
	"a helper that starts programs":          reaches("cmd/twokey-verify", "os/exec", "cmd/twokey-verify reaches os/exec"),
	"a helper with the library of commands":  reaches("cmd/twokey-verify", cliLibrary, "cmd/twokey-verify reaches "+cliLibrary),
	"a helper with libpam":                   reaches("cmd/twokey-verify", pamLibrary, "cmd/twokey-verify reaches "+pamLibrary),
	"a command line with the wire behind":    reaches("cmd/twokey", "twokey/pamhook/wire", "cmd/twokey reaches twokey/pamhook/wire"),

	"factor with os":           one("what is never imported", "factor/a.go", `import _ "os"`, "factor imports os"),
	"a policy with a log":      one("what is never imported", "policy/a.go", `import _ "log"`, "policy imports log"),
	"a wire with system calls": one("what is never imported", "pamhook/wire/a.go", `import _ "syscall"`, "pamhook/wire imports syscall"),

	"the product with a test's package": {"tests' packages are for tests", map[string]string{
		"state/a.go":             `import _ "twokey/internal/disktest"`,
		"internal/disktest/b.go": "",
	}, "state reaches twokey/internal/disktest"},
	"the product with a part of a test's package": {"tests' packages are for tests", map[string]string{
		"state/a.go":                     `import _ "twokey/pamhook/logintest/scratch"`,
		"pamhook/logintest/scratch/b.go": "",
	}, "state reaches twokey/pamhook/logintest/scratch"},
	"the product with testing": one("tests' packages are for tests", "state/a.go", `import _ "testing"`, "state reaches testing"),

	"an open":                 one(opens, "state/a.go", "import \"os\"\nvar _, _ = os.Open(\"x\")", "state/a.go:3 uses os.Open"),
	"an open by another name": one(opens, "state/a.go", "import system \"os\"\nvar _, _ = system.ReadFile(\"x\")", "state/a.go:3 uses os.ReadFile"),
	"an open for later":       one(opens, "state/a.go", "import \"os\"\nvar open = os.OpenFile", "state/a.go:3 uses os.OpenFile"),
	"a system call":           one(opens, "audit/a.go", "import \"syscall\"\nvar _, _ = syscall.Open(\"x\", 0, 0)", "audit/a.go:3 uses syscall.Open"),
	"a removal":               one(opens, "enroll/a.go", "import \"os\"\nvar _ = os.RemoveAll(\"x\")", "enroll/a.go:3 uses os.RemoveAll"),
	"a walk":                  one(opens, "cmd/twokey/a.go", "import \"path/filepath\"\nvar _, _ = filepath.Glob(\"x\")", "cmd/twokey/a.go:3 uses path/filepath.Glob"),
	"an exception in another file": one(opens, "internal/proc/other.go", "import \"os\"\nvar _, _ = os.ReadFile(\"/proc/stat\")",
		"internal/proc/other.go:3 uses os.ReadFile"),
	"another function in a file with an exception": one(opens, "internal/proc/lock.go", "import \"os\"\nvar _, _ = os.Create(\"x\")",
		"internal/proc/lock.go:3 uses os.Create"),
	"a file of another system": {opens, map[string]string{"state/a_linux.go": "import \"os\"\nvar _, _ = os.Create(\"x\")"}, "state/a_linux.go:3 uses os.Create"},

	"factor that asks the clock":     one(clock, "factor/a.go", "import \"time\"\nvar _ = time.Now()", "factor/a.go:3 uses time.Now"),
	"a clock for later":              one(clock, "policy/a.go", "import \"time\"\nvar now = time.Now", "policy/a.go:3 uses time.Now"),
	"a doctor that asks the clock":   one(clock, "doctor/a.go", "import \"time\"\nvar _ = time.Now()", "doctor/a.go:3 uses time.Now"),
	"secrets that ask the clock":     one(clock, "secrets/a.go", "import t \"time\"\nvar _ = t.Since(t.Time{})", "secrets/a.go:3 uses time.Since"),
	"a wire that waits":              one(clock, "pamhook/wire/a.go", "import \"time\"\nvar _ = time.After(1)", "pamhook/wire/a.go:3 uses time.After"),
	"a login that sleeps by itself":  one(clock, "pamhook/a.go", "import \"time\"\nfunc f() { time.Sleep(1) }", "pamhook/a.go:3 uses time.Sleep"),
	"a policy in force with a clock": one(clock, "policy/inforce/a.go", "import \"time\"\nvar _ = time.Now()", "policy/inforce/a.go:3 uses time.Now"),

	"a command that prints": one(prints, "cmd/twokey/status.go", "import \"fmt\"\nfunc f() { fmt.Println() }", "cmd/twokey/status.go:3 uses fmt.Println"),
	"a command that goes round the ui": one(prints, "cmd/twokey/status.go", "import \"fmt\"\nfunc f(h *host) { fmt.Fprint(h.ui.out) }",
		"cmd/twokey/status.go:3 uses the ui's out"),
	"a command with the ui's standard error": one(prints, "cmd/twokey/status.go", "func f(u *ui) { g(u.err) }", "cmd/twokey/status.go:2 uses the ui's err"),
	"a command with standard output":         one(prints, "cmd/twokey/status.go", "import \"os\"\nvar out = os.Stdout", "cmd/twokey/status.go:3 uses os.Stdout"),
	"a command with a log":                   one(prints, "cmd/twokey/status.go", "import \"log\"\nfunc f() { log.Print() }", "cmd/twokey/status.go:1 uses log"),
	"a package that prints":                  one(prints, "state/a.go", "import \"fmt\"\nfunc f() { fmt.Printf(\"\") }", "state/a.go:3 uses fmt.Printf"),
	"a package with standard error":          one(prints, "secrets/a.go", "import \"os\"\nvar _ = os.Stderr", "secrets/a.go:3 uses os.Stderr"),
	"a forgotten println":                    one(prints, "factor/a.go", "func f() { println(1) }", "factor/a.go:2 uses println"),

	"a dot import":            one(round, "state/a.go", "import . \"os\"\nvar _, _ = Open(\"x\")", `state/a.go imports "os" as "."`),
	"unsafe":                  one(round, "secrets/a.go", `import _ "unsafe"`, `secrets/a.go imports "unsafe" as "_"`),
	"C":                       one(round, "audit/a.go", `import "C"`, `audit/a.go imports "C" as "C"`),
	"another package's name":  one(round, "internal/sysuser/a.go", "import _ \"unsafe\"\n//go:linkname now time.now\nfunc now()", "internal/sysuser/a.go:3 links to another package's name"),
	"a plugin in the command": one(round, "cmd/twokey/a.go", `import _ "plugin"`, `cmd/twokey/a.go imports "plugin" as "_"`),
}

// stubs stand for the libraries and for what the made-up packages import of ours.
var stubs = map[string]string{
	"go.mod": "module twokey\n\ngo 1.26.0\n\nrequire (\n\tgithub.com/urfave/cli/v2 v2.0.0\n\tgithub.com/msteinert/pam/v2 v2.0.0\n)\n\n" +
		"replace (\n\tgithub.com/urfave/cli/v2 => ./libraries/cli\n\tgithub.com/msteinert/pam/v2 => ./libraries/pam\n)\n",
	"libraries/cli/go.mod": "module github.com/urfave/cli/v2\n", "libraries/cli/cli.go": "package cli\n",
	"libraries/pam/go.mod": "module github.com/msteinert/pam/v2\n", "libraries/pam/pam.go": "package pam\n",
	"enroll/stub.go": "package enroll\n", "policy/stub.go": "package policy\n", "pamhook/wire/stub.go": "package wire\n",
	"internal/sysuser/stub.go": "package sysuser\n",
}

// module writes a made-up module and reads it.
func (v violation) load(t *testing.T) *tree {
	t.Helper()
	dir := t.TempDir()
	write := func(file, content string) {
		file = filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for file, content := range stubs {
		write(file, content)
	}
	for file, source := range v.files {
		name := filepath.Base(filepath.Dir(file))
		if strings.HasPrefix(file, "cmd/") {
			name = "main"
		}
		write(file, "package "+name+"\n"+source+"\n")
	}
	return load(t, dir)
}

func TestEveryRuleFindsWhatBreaksIt(t *testing.T) {
	broken := map[string]bool{}
	for what, v := range violations {
		broken[v.rule] = true
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			find := rules[v.rule]
			if find == nil {
				t.Fatalf("there is no rule %q", v.rule)
			}
			if found := find(v.load(t)); len(found) == 0 || found[0] != v.want {
				t.Errorf("found %q, want %q", found, v.want)
			}
		})
	}
	for rule := range rules {
		if !broken[rule] {
			t.Errorf("nothing breaks the rule %q", rule)
		}
	}
}

// allowed is what the rules must not find.
func TestTheRulesLetPassWhatIsAllowed(t *testing.T) {
	tr := violation{files: map[string]string{
		"internal/safefile/a.go":  "import \"os\"\nvar _, _ = os.Open(\"x\")",
		"internal/proc/lock.go":   "import \"os\"\nvar _, _ = os.ReadDir(\"x\")",
		"internal/disktest/a.go":  "import (\n\"os\"\n_ \"testing\"\n)\nvar _, _ = os.Open(\"x\")",
		"state/a.go":              "import _ \"twokey/internal/safefile\"",
		"state/a_test.go":         "import (\n\"os\"\n\"time\"\n_ \"twokey/internal/disktest\"\n)\nvar _, _ = os.Open(time.Now().String())",
		"cmd/twokey/print.go":     "import \"fmt\"\nfunc f() { fmt.Println() }",
		"cmd/twokey/a.go":         "import (\n_ \"twokey/enroll\"\n_ \"github.com/urfave/cli/v2\"\n)",
		"factor/a.go":             "import \"time\"\nfunc f(now time.Time) time.Duration { return now.Sub(time.Time{}) }",
		"audit/a.go":              "import \"fmt\"\nvar _ = fmt.Sprint()",
		"cmd/twokey/b.go":         "import \"fmt\"\nfunc f(e *aboutUser) { fmt.Fprint(e.err) }",
		"internal/sysuser/cgo.go": "import _ \"unsafe\"",
	}}.load(t)
	for name, find := range rules {
		for _, found := range find(tr) {
			t.Errorf("%s: %s", name, found)
		}
	}
	if want := []string{"internal/proc", "internal/safefile"}; !slices.IsSorted(want) || !hasAll(tr, want) {
		t.Errorf("%v were not read: this test has shown nothing", want)
	}
}

func hasAll(tr *tree, names []string) bool {
	for _, name := range names {
		if !slices.ContainsFunc(tr.packages, func(p *pkg) bool { return p.name == name && len(p.files) > 0 }) {
			return false
		}
	}
	return true
}

// The helper runs inside every login: no dynamic linker that an environment could lead elsewhere, no libc.
func TestTheHelperIsBuiltWithoutCAndStatic(t *testing.T) {
	program := filepath.Join(t.TempDir(), "twokey-verify")
	build := exec.Command("go", "build", "-o", program, "./cmd/twokey-verify")
	build.Dir = "../.."
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v: %s", err, out)
	}
	f, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	libraries, err := f.ImportedLibraries()
	if err != nil || len(libraries) != 0 {
		t.Errorf("it links %v, %v", libraries, err)
	}
	if slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		t.Error("it wants a dynamic linker")
	}
}
