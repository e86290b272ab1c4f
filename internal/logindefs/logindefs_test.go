package logindefs

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for sentence, c := range map[string]struct {
		text string
		want uint32
	}{
		"nothing":                                 {"", 1000},
		"as Debian has it":                        {"#\n# Min/max values\nUID_MIN\t\t\t 1000\nUID_MAX\t\t\t60000\n#SYS_UID_MIN\t\t  100\n", 1000},
		"another number":                          {"UID_MIN 500\n", 500},
		"without a newline at the end":            {"UID_MIN 500", 500},
		"spaces before it":                        {"  \t UID_MIN 500\n", 500},
		"in quotes":                               {"UID_MIN \"500\"\n", 500},
		"of two the last":                         {"UID_MIN 500\nUID_MIN 600\n", 600},
		"in a comment":                            {"#UID_MIN 500\n# UID_MIN 600\n", 1000},
		"other settings whose names are alike":    {"SYS_UID_MIN 100\nSUB_UID_MIN 100000\nUID_MINIMUM 5\nUID_MAX 60000\n", 1000},
		"in hexadecimal":                          {"UID_MIN 0x1f4\n", 500},
		"in octal":                                {"UID_MIN 0764\n", 500},
		"nobody is a person":                      {"UID_MIN 4294967295\n", 4294967295},
		"everybody is":                            {"UID_MIN 0\n", 0},
		"lines that end as those of Windows":      {"UID_MIN 500\r\nUID_MAX 600\r\n", 500},
		"a long line of something else before it": {strings.Repeat("x", 100_000) + "\nUID_MIN 500\n", 500},
	} {
		if got, err := parse(c.text, "UID_MIN", usualMin); err != nil || got != c.want {
			t.Errorf("%s: %d, %v, want %d", sentence, got, err, c.want)
		}
	}
}

// badNumbers are values that nobody can have meant. To take a person for a system account would exempt him.
var badNumbers = map[string]string{
	"none": "", "a word": "many", "below zero": "-1", "beyond 32 bits": "4294967296", "a fraction": "1.5", "two": "500 600",
	"a comment behind it": "500 # people", "letters behind it": "500x", "a plus": "+500",
}

func TestParseRefuses(t *testing.T) {
	for sentence, value := range badNumbers {
		if got, err := parse("UID_MIN "+value+"\n", "UID_MIN", usualMin); err == nil || got != 0 {
			t.Errorf("%s: %d, %v", sentence, got, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, value := range badNumbers {
		f.Add("UID_MIN " + value + "\n")
	}
	f.Add("UID_MIN\t\t\t 1000\nUID_MAX\t\t\t60000\n")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := parse(text, "UID_MIN", usualMin)
		if err != nil && got != 0 {
			t.Fatalf("%d with %v", got, err)
		}
		// What it found is found again behind everything else.
		again, err2 := parse(text+"\nUID_MIN "+strconv.FormatUint(uint64(got), 10)+"\n", "UID_MIN", usualMin)
		if err == nil && (err2 != nil || again != got) {
			t.Fatalf("%d, and then %d (%v)", got, again, err2)
		}
	})
}

func TestTheFuzzerHasItsSeeds(t *testing.T) {
	if len(badNumbers) != 9 {
		t.Errorf("%d seeds", len(badNumbers))
	}
}

func TestWhatCannotBeReadIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "login.defs")
	if got, err := setting(path, "UID_MIN", usualMin); err != nil || got != 1000 {
		t.Errorf("without a file: %d, %v", got, err)
	}
	for sentence, c := range map[string]struct {
		text string
		mode os.FileMode
		want uint32
	}{
		"as it should be":           {"UID_MIN 500\n", 0o644, 500},
		"anybody can write to it":   {"UID_MIN 500\n", 0o666, 0},
		"a number that is none":     {"UID_MIN many\n", 0o644, 0},
		"more than anybody writes":  {strings.Repeat("#\n", 1<<20), 0o644, 0},
		"its group can write to it": {"UID_MIN 500\n", 0o664, 0},
	} {
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, c.mode); err != nil {
			t.Fatal(err)
		}
		if got, err := setting(path, "UID_MIN", usualMin); got != c.want || (err == nil) != (c.want > 0) {
			t.Errorf("%s: %d, %v, want %d", sentence, got, err, c.want)
		}
	}
	if err := os.WriteFile(path, []byte("UID_MIN 500\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := path + ".link"
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := setting(link, "UID_MIN", usualMin); err != nil || got != 500 {
		t.Errorf("through a link: %d, %v", got, err)
	}
	if err := os.Chown(path, 65534, 0); err != nil {
		t.Fatal(err)
	}
	if got, err := setting(path, "UID_MIN", usualMin); err == nil || got != 0 {
		t.Errorf("of somebody else's: %d, %v", got, err)
	}
}

// useradd takes the next free number from UID_MIN on: what it says it goes by is what we go by.
func TestThisHostsOwnFile(t *testing.T) {
	out, err := exec.Command("sh", "-c", `awk '$1 == "UID_MIN" { n = $2 } END { print n ? n : 1000 }' /etc/login.defs`).Output()
	if err != nil {
		t.Fatal(err)
	}
	got, err := UIDMin()
	if err != nil || strconv.FormatUint(uint64(got), 10) != strings.TrimSpace(string(out)) {
		t.Errorf("%d, %v, want %s", got, err, out)
	}
}

func TestShellsThatEndAtOnce(t *testing.T) {
	for shell, want := range map[string]bool{
		"/usr/sbin/nologin": true, "/sbin/nologin": true, "/bin/false": true, "/usr/bin/false": true, "/bin/sync": true, "/sbin/halt": true,
		"/sbin/shutdown": true, "nologin": true, "/bin/sh": false, "/usr/bin/zsh": false, "": false /* passwd(5): /bin/sh */, "/": false,
		"/opt/nologin/bash": false, "/usr/sbin/nologin2": false, "/bin/FALSE": false, "/usr/sbin/nologin ": false,
	} {
		if NoLogin(shell) != want {
			t.Errorf("%q: %v", shell, !want)
		}
	}
}

// Root is one of the people whatever its shell: sftp and "su -s" do not start that.
func TestASystemAccountHasALowUserIDAndNoShell(t *testing.T) {
	for _, c := range []struct {
		uid   uint32
		shell string
		want  bool
	}{
		{0, "/bin/bash", false}, {0, "/usr/sbin/nologin", false}, {1, "/usr/sbin/nologin", true}, {33, "/bin/false", true}, {33, "", false},
		{65534, "/usr/sbin/nologin", false}, {1000, "/usr/sbin/nologin", false}, {999, "/usr/sbin/nologin", true},
	} {
		if got, err := System(c.uid, c.shell); err != nil || got != c.want {
			t.Errorf("%d with %q: %v, %v", c.uid, c.shell, got, err)
		}
	}
}

func TestLoginTimeout(t *testing.T) {
	for sentence, c := range map[string]struct {
		text string
		want uint32
	}{
		"nothing":           {"UID_MIN 500\n", 60},
		"as Debian has it":  {"LOGIN_RETRIES\t\t5\n\n#\n# Max time in seconds for login\n#\nLOGIN_TIMEOUT\t\t60\n", 60},
		"more":              {"LOGIN_TIMEOUT 300\n", 300},
		"for ever":          {"LOGIN_TIMEOUT 0\n", 0},
		"of two the last":   {"LOGIN_TIMEOUT 30\nLOGIN_TIMEOUT 90\n", 90},
		"another's timeout": {"FAIL_DELAY 3\nMY_LOGIN_TIMEOUT 5\n", 60},
	} {
		if got, err := parse(c.text, "LOGIN_TIMEOUT", usualTimeout); err != nil || got != c.want {
			t.Errorf("%s: %d, %v, want %d", sentence, got, err, c.want)
		}
	}
	if d, err := LoginTimeout(); err != nil || d < 0 {
		t.Errorf("this host's: %v, %v", d, err)
	}
}
