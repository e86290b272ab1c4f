package sysuser

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// askVariable makes the test binary answer questions, one a line, in a name space of its own, instead of running the tests.
const askVariable = "TWOKEY_SYSUSER_ASK"

func TestMain(m *testing.M) {
	if questions := os.Getenv(askVariable); questions != "" {
		for question := range strings.SplitSeq(questions, "\n") {
			fmt.Println(answer(strings.Split(question, "|")))
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// answer asks the name service and writes down what it said.
func answer(question []string) string {
	switch question[0] {
	case "user":
		a, err := Lookup(question[1])
		return fmt.Sprintf("%+v, %v", a, kind(err))
	case "id":
		uid, err := strconv.ParseUint(question[1], 10, 32)
		if err != nil {
			return err.Error()
		}
		a, err := LookupID(uint32(uid))
		return fmt.Sprintf("%+v, %v", a, kind(err))
	case "all":
		all, err := All()
		var names []string
		for _, l := range all {
			names = append(names, fmt.Sprintf("%s:%d:%d:%.20s:%s:%v", l.Name, l.UID, l.GID, l.FullName, l.Home, l.MayLogIn()))
		}
		return fmt.Sprintf("%s, %v", strings.Join(names, " "), kind(err))
	case "members":
		names, err := Members(question[1])
		if len(names) > 10 {
			names = []string{names[0], fmt.Sprint(len(names) - 2), names[len(names)-1]}
		}
		return fmt.Sprintf("%q, %v", names, kind(err))
	case "everybody":
		names, err := Everybody(question[1])
		return fmt.Sprintf("%q, %v", names, kind(err))
	case "many":
		d, err := NewDirectory(few + 1)
		if err != nil {
			return err.Error()
		}
		a, err := d.Lookup(question[1])
		return fmt.Sprintf("%+v, %v, listed %d", a, kind(err), len(d.listed))
	case "exists":
		found, err := GroupExists(question[1])
		return fmt.Sprintf("%v, %v", found, kind(err))
	}
	a, err := Lookup(question[1])
	if err != nil {
		return err.Error()
	}
	if question[0] == "in directory" {
		d, err := NewDirectory(few + 1)
		if err != nil {
			return err.Error()
		}
		in, err := d.InGroup(a, question[2])
		return fmt.Sprintf("%v, %v", in, kind(err))
	}
	in, err := a.InGroup(question[2])
	return fmt.Sprintf("%v, %v", in, kind(err))
}

func kind(err error) string {
	switch {
	case err == nil:
		return "no error"
	case errors.Is(err, ErrUnknown):
		return "unknown"
	}
	return "failed: " + err.Error()
}

// host is a name service of the tests' own: files in the place of /etc/passwd and /etc/group, and a module of testdata.
type host struct {
	t   *testing.T
	dir string
}

func newHost(t *testing.T) host {
	t.Helper()
	h := host{t, t.TempDir()}
	for file, content := range map[string]string{
		"passwd": "root:x:0:0:root:/root:/bin/sh\n" +
			"alice:x:70010:70010:Alice Example,Room 3:/home/alice:/bin/sh\n" +
			"alias:x:70010:70010:the same number:/home/alice:/bin/sh\n" +
			"bob:x:70011:70012:Bob:/home/bob:/bin/sh\n" +
			"alice:x:70020:70020:again:/:/bin/sh\n" +
			"long:x:70015:70012:" + strings.Repeat("x", 5000) + ":/:/usr/sbin/nologin\n" +
			"high:x:4294967294:70010:the highest number:/:/bin/sh\n",
		"group":         "root:x:0:\nalice:x:70010:\nstaff:x:70012:\nwheel:x:70013:alice,bob\nempty:x:70014:\n",
		"nsswitch.conf": "passwd: files twokeytest\ngroup: files twokeytest\ninitgroups: files twokeytest\n",
	} {
		if err := os.WriteFile(filepath.Join(h.dir, file), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cc := exec.Command("cc", "-shared", "-fPIC", "-o", h.dir+"/libnss_twokeytest.so.2", "testdata/nss_twokeytest.c")
	if out, err := cc.CombinedOutput(); err != nil {
		t.Fatalf("cc: %v: %s", err, out)
	}
	return h
}

// The whole of /etc is another: a mount over a single file is gone as soon as the host replaces that, which useradd(8) does.
const inNameSpace = `
set -e
mount --bind "$1" /etc
exec "$2"
`

// ask puts questions to a process that sees the host's name service and no other.
func (h host) ask(questions []string) []string {
	h.t.Helper()
	self, err := os.Executable()
	if err != nil {
		h.t.Fatal(err)
	}
	cmd := exec.Command("unshare", "--mount", "sh", "-c", inNameSpace, "sh", h.dir, self)
	cmd.Env = append(os.Environ(), askVariable+"="+strings.Join(questions, "\n"), "LD_LIBRARY_PATH="+h.dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		h.t.Fatalf("%v: %s", err, out)
	}
	answers := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(answers) != len(questions) {
		h.t.Fatalf("%d answers to %d questions: %s", len(answers), len(questions), out)
	}
	return answers
}

const (
	alice   = "{Name:alice UID:70010 GID:70010 FullName:Alice Example Home:/home/alice Shell:/bin/sh}, no error"
	carol   = "{Name:carol UID:70001 GID:70002 FullName:Carol of the test Home:/home/carol Shell:/bin/sh}, no error"
	unknown = "{Name: UID:0 GID:0 FullName: Home: Shell:}, unknown"
	silent  = "failed: %s: the name service did not answer: "
)

// said are questions and the whole answers.
var said = map[string]string{
	"user|alice":    alice,
	"user|Alice":    unknown,
	"user|nobody":   unknown, // the test's host has none
	"user|carol":    carol,
	"user|CAROL":    carol, // the canonical name, however it was spelled
	"user|alias":    "{Name:alias UID:70010 GID:70010 FullName:the same number Home:/home/alice Shell:/bin/sh}, no error",
	"user|high":     "{Name:high UID:4294967294 GID:70010 FullName:the highest number Home:/ Shell:/bin/sh}, no error",
	"id|70010":      alice, // the first of two
	"id|70001":      carol,
	"id|70002":      unknown,
	"id|4294967295": unknown,

	// Each name once, the entry that is longer than the first buffer, and who has no shell.
	"all": "root:0:0:root:/root:true alice:70010:70010:Alice Example:/home/alice:true alias:70010:70010:the same number:/home/alice:true " +
		"bob:70011:70012:Bob:/home/bob:true long:70015:70012:xxxxxxxxxxxxxxxxxxxx:/:false " +
		"high:4294967294:70010:the highest number:/:true carol:70001:70002:Carol of the test:/home/carol:true, no error",

	"members|wheel":  `["alice" "bob"], no error`,
	"members|empty":  `[], no error`,
	"members|alice":  `[], no error`, // primary only
	"members|remote": `[], no error`, // she is in it, and the list does not say so
	"members|many":   `["m00000" "4999" "carol"], no error`,
	"members|none":   `[], unknown`,

	// By the list, with its first entry of a name; who is not in it by name.
	"many|alice": alice + ", listed 7",
	"many|carol": carol + ", listed 7",
	"many|CAROL": carol + ", listed 7",
	"many|Alice": unknown + ", listed 7",

	"everybody|staff": `["bob" "long"], no error`, // primary only
	"everybody|alice": `["alice" "alias" "high"], no error`,
	"everybody|wheel": `["alice" "bob"], no error`,
	"everybody|empty": `[], no error`,
	"everybody|none":  `[], unknown`,

	"exists|wheel":    "true, no error",
	"exists|remote":   "true, no error",
	"exists|many":     "true, no error",
	"exists|none":     "false, no error",
	"exists|Wheel":    "false, no error",
	"exists|70013":    "false, no error",
	"in|alice|wheel":  "true, no error",  // listed
	"in|alice|alice":  "true, no error",  // primary
	"in|bob|staff":    "true, no error",  // primary, of another name
	"in|bob|empty":    "false, no error", // there, without members
	"in|bob|alice":    "false, no error",
	"in|alias|wheel":  "false, no error", // lists are of names, not of numbers
	"in|carol|remote": "true, no error",  // by what is listed for her
	"in|carol|many":   "true, no error",  // behind 5000 others
	"in|alice|remote": "false, no error",
	"in|alice|many":   "false, no error",
	"in|alice|none":   "false, unknown",
}

// unsaid are questions without an answer, which is never "there is none", and how their errors begin.
var unsaid = map[string]string{
	"user|downtown":   "{Name: UID:0 GID:0 FullName: Home: Shell:}, " + fmt.Sprintf(silent, `user "downtown"`),
	"id|70009":        "{Name: UID:0 GID:0 FullName: Home: Shell:}, " + fmt.Sprintf(silent, `user "70009"`),
	"exists|downtown": "false, " + fmt.Sprintf(silent, `group "downtown"`),
	"members|down":    "[], " + fmt.Sprintf(silent, `group "down"`),
	"in|alice|down":   "false, " + fmt.Sprintf(silent, `group "down"`),
	"in|carol|down":   "false, " + fmt.Sprintf(silent, `group "down"`),
}

func TestWhatTheNameServiceSaysCounts(t *testing.T) {
	questions := slices.Concat(slices.Collect(maps.Keys(said)), slices.Collect(maps.Keys(unsaid)))
	for i, got := range newHost(t).ask(questions) {
		want, exactly := said[questions[i]]
		if exactly && got != want || !exactly && !strings.HasPrefix(got, unsaid[questions[i]]) {
			t.Errorf("%s: %s, want %s%s", questions[i], got, want, unsaid[questions[i]])
		}
	}
}

// What could not be read must not be taken for a host without users: a group whose members nobody found would be required.
func TestAListWithoutRootIsNoList(t *testing.T) {
	h := newHost(t)
	if err := os.WriteFile(h.dir+"/passwd", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for i, got := range h.ask([]string{"all", "everybody|staff", "many|carol"}) {
		if want := "the list of users: the name service did not list root"; !strings.HasSuffix(got, want) {
			t.Errorf("%d: %s, want %s", i, got, want)
		}
	}
}

// Cut off at a NUL or read as a field's end, such a name would find somebody else.
func TestNamesThatNoUserAndNoGroupCanHaveAreUnknown(t *testing.T) {
	for _, name := range []string{"", "root\x00x", "\x00", "root\n", "root:x:0:0", "\nroot", ":"} {
		if a, err := Lookup(name); a != (Account{}) || !errors.Is(err, ErrUnknown) {
			t.Errorf("user %q: %+v, %v", name, a, err)
		}
		if found, err := GroupExists(name); found || err != nil {
			t.Errorf("group %q: %v, %v", name, found, err)
		}
		if names, err := Members(name); names != nil || !errors.Is(err, ErrUnknown) {
			t.Errorf("members of %q: %v, %v", name, names, err)
		}
		root := Account{Name: "root"}
		if in, err := root.InGroup(name); in || !errors.Is(err, ErrUnknown) {
			t.Errorf("root in group %q: %v, %v", name, in, err)
		}
	}
}

func TestRootIsRootOnThisHost(t *testing.T) {
	byName, err := Lookup("root")
	if err != nil || byName.UID != 0 || byName.GID != 0 || byName.Home != "/root" {
		t.Errorf("%+v, %v", byName, err)
	}
	if byID, err := LookupID(0); err != nil || byID != byName {
		t.Errorf("%+v, %v", byID, err)
	}
	if in, err := byName.InGroup("root"); !in || err != nil {
		t.Errorf("root in root: %v, %v", in, err)
	}
}

func TestShellsThatEndAtOnceAreNoLogin(t *testing.T) {
	for shell, want := range map[string]bool{
		"/bin/sh": true, "/usr/bin/zsh": true, "": true /* passwd(5): /bin/sh */, "/usr/sbin/nologin": false, "/sbin/nologin": false,
		"/bin/false": false, "/usr/bin/false": false, "/bin/sync": false, "/opt/nologin/bash": true, "/sbin/shutdown": false,
	} {
		if got := (Account{Shell: shell}).MayLogIn(); got != want {
			t.Errorf("%q: %v", shell, got)
		}
	}
}
