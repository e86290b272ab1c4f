package pamconf

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
)

// lineSamples are lines and what they are: phase, control, module, arguments, and why they fail.
var lineSamples = map[string]string{
	"auth required pam_twokey.so":                               "auth|required|pam_twokey.so||",
	"auth\trequired\t pam_twokey.so  decoy   after=password ":   "auth|required|pam_twokey.so|decoy,after=password|",
	"  -AUTH REQUIRED pam_twokey.so":                            "auth|REQUIRED|pam_twokey.so||",
	"auth [success=1 default=ignore] pam_unix.so nullok":        "auth|[success=1 default=ignore]|pam_unix.so|nullok|",
	"auth [success=1 default=ignore]pam_unix.so":                "auth|[success=1 default=ignore]|pam_unix.so||",
	"auth [success=1 default=ignore":                            "auth|[success=1 default=ignore]|||it names no module",
	"@include common-auth":                                      "|@include|common-auth||",
	"@include":                                                  "|@include|||it names no file",
	"session optional /lib/security/pam_twokey.so config=/a[b]": "session|optional|/lib/security/pam_twokey.so|config=/a[b]|",
	`auth required pam_mysql.so [query=select [a\] from b] x`:   "auth|required|pam_mysql.so|query=select [a] from b,x|",
	"account substack common":                                   "account|substack|common||",
	"":                                                          "auth||||it has no phase",
	"auth":                                                      "auth||||it has no control",
	"auth required":                                             "auth|required|||it names no module",
	"greeting required pam_permit.so":                           "auth|required|pam_permit.so||there is no phase \"greeting\"",
}

func describe(e entry) string {
	return strings.Join([]string{string(e.Phase), e.Word, e.Module, strings.Join(e.Args, ","), e.Broken}, "|")
}

func TestParseEntry(t *testing.T) {
	for text, want := range lineSamples {
		e, mine := parseEntry(text, anyPhase)
		if got := describe(e); got != want || !mine {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	if _, mine := parseEntry("auth required pam_permit.so", Session); mine {
		t.Error("a line of another phase is not left out")
	}
}

// controlSamples are controls, and the actions for success, new_authtok_reqd, ignore, auth_err and module_unknown.
var controlSamples = map[string][5]Action{
	"required":   {OK, OK, DoNothing, Bad, Bad},
	"Requisite":  {OK, OK, DoNothing, Die, Die},
	"optional":   {OK, OK, DoNothing, DoNothing, DoNothing},
	"sufficient": {Done, Done, DoNothing, DoNothing, DoNothing},
	"success=ok new_authtok_reqd=done ignore=ignore default=die": {OK, Done, DoNothing, Die, Die},
	"success=2 default=bad module_unknown=reset":                 {2, Bad, Bad, Bad, Reset},
	"module_unknown=ignore success = ok":                         {OK, Bad, Bad, Bad, DoNothing},
	"":                                                           {Bad, Bad, Bad, Bad, Bad},
	"success=0":                                                  {Bad, Bad, Bad, Bad, Bad},
	"success=-1":                                                 {Bad, Bad, Bad, Bad, Bad},
	"success=2147483647":                                         {1<<31 - 1, Bad, Bad, Bad, Bad},
	"success=2147483648":                                         {Bad, Bad, Bad, Bad, Bad},
	"success=okay":                                               {Bad, Bad, Bad, Bad, Bad},
	"success":                                                    {Bad, Bad, Bad, Bad, Bad},
	"winning=ok":                                                 {Bad, Bad, Bad, Bad, Bad},
}

func TestParseControl(t *testing.T) {
	for text, want := range controlSamples {
		c := parseControl(text)
		if got := [5]Action{c[Success], c[NewAuthtok], c[Ignore], c[AuthErr], c[ModuleUnknown]}; got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func TestAssembleKeepsTheNumbersOfLines(t *testing.T) {
	content := "# a comment\n\nfirst \\\n# within\n  goes on # and ends \\\nsecond\n\tthird\\\n"
	lines, whole := assemble(content)
	want := []rawLine{{3, "first  goes on "}, {6, "second\n"}}
	if !reflect.DeepEqual(lines, want) || whole {
		t.Errorf("%+v, %v", lines, whole)
	}
}

func TestThereAreSamples(t *testing.T) {
	if len(lineSamples) != 15 || len(controlSamples) != 15 {
		t.Errorf("%d and %d samples", len(lineSamples), len(controlSamples))
	}
}

func FuzzParse(f *testing.F) {
	for text := range lineSamples {
		f.Add(text)
	}
	for text := range controlSamples {
		f.Add("auth [" + text + "] pam_permit.so\n")
	}
	f.Fuzz(func(t *testing.T, content string) {
		lines, _ := assemble(content)
		for _, line := range lines {
			if line.number < 1 || line.number > strings.Count(content, "\n")+1 {
				t.Fatalf("line %d of %q", line.number, content)
			}
			e, mine := parseEntry(line.text, anyPhase)
			if n := len(e.Module) + len(strings.Join(e.Args, "")) + len(e.Word); !mine || n > len(content)+2 {
				t.Fatalf("%q: %+v, %v", line.text, e, mine)
			}
			for result, action := range e.Control {
				if !e.include && (action <= undefined || action > 1<<31-1) {
					t.Fatalf("%q: %v=%d", line.text, Result(result), action)
				}
			}
			if e.include {
				continue
			}
			if got, _ := (Stack{e.Line}).Run(func(Line) Result { return Success }); e.Kind == Failing && got == Success {
				t.Fatalf("%q cannot be used, and the stack succeeds", line.text)
			}
		}
	})
}

func TestReadFindsTheFileThatCounts(t *testing.T) {
	root, dir := confDir(t)
	writeFiles(t, dir, map[string]string{
		"own":    "auth required a.so\n",
		"short":  "auth required b.so\nsession include none\n",
		"circle": "auth substack circle\n",
		"cut":    "auth required c.so \\",
		"big":    strings.Repeat("#", maxFile+1),
		"other":  "account required other.so\n",
	})
	for service, want := range map[string]string{
		"OWN":  "auth a.so /etc/pam.d/own:1; account other.so /etc/pam.d/other:1",
		"none": "account other.so /etc/pam.d/other:1",
		"short": "auth b.so /etc/pam.d/short:1; account other.so /etc/pam.d/other:1; " +
			"session none /etc/pam.d/short:2 (there is no file none)",
		"cut": "BROKEN: /etc/pam.d/cut ends within a line; account other.so /etc/pam.d/other:1",
		"big": "BROKEN: /etc/pam.d/big is too large to be a PAM stack; account other.so /etc/pam.d/other:1",
	} {
		if got := summary(t, root, service); got != want {
			t.Errorf("%s: %s, want %s", service, got, want)
		}
	}
	if got := summary(t, root, "circle"); !strings.Contains(got, "too many files include each other") {
		t.Errorf("circle: %s", got)
	}
	if names, err := (Host{root}).Services(); err != nil || len(names) != 6 {
		t.Errorf("%q, %v", names, err)
	}
}

func summary(t *testing.T, root, service string) string {
	t.Helper()
	s, err := Host{root}.Read(service)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	if s.Broken != "" {
		all = append(all, "BROKEN: "+s.Broken)
	}
	for _, phase := range []Phase{Auth, Account, Session, Password} {
		for _, line := range s.Stacks[phase] {
			text := fmt.Sprintf("%s %s %s:%d", phase, line.Name(), line.File, line.Number)
			if line.Broken != "" {
				text += " (" + line.Broken + ")"
			}
			all = append(all, text)
		}
	}
	return strings.Join(all, "; ")
}

func TestReadWithoutAFolderTakesTheOneFile(t *testing.T) {
	root := t.TempDir()
	if names, err := (Host{root}).Services(); err != nil || len(names) != 0 {
		t.Errorf("nothing at all: %q, %v", names, err)
	}
	if got := summary(t, root, "sshd"); !strings.HasPrefix(got, "BROKEN: there is neither") {
		t.Error(got)
	}
	if err := os.Mkdir(root+"/etc", 0o755); err != nil {
		t.Fatal(err)
	}
	writeFiles(t, root+"/etc", map[string]string{"pam.conf": "sshd auth required a.so\nSSHD account required \\\n b.so\nlogin auth required c.so\nother auth required d.so\n"})
	if got := summary(t, root, "sshd"); got != "auth a.so /etc/pam.conf:1; account b.so /etc/pam.conf:2" {
		t.Error(got)
	}
	if got := summary(t, root, "su"); got != "auth d.so /etc/pam.conf:5" {
		t.Error(got)
	}
	if names, err := (Host{root}).Services(); err != nil || strings.Join(names, " ") != "login other sshd" {
		t.Errorf("%q, %v", names, err)
	}
}
