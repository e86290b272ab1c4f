package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// drivers are what has a shell say, for each line of standard input, which is words separated by spaces, what may stand in the place of the
// last; each answer is one line. The script to be tried is $1. What zsh offers goes through its compadd, which works in its editor only.
var drivers = map[string][]string{
	"bash": {"bash", "--norc", "-c", `source "$1"
while IFS= read -r line; do
	IFS=' ' read -ra COMP_WORDS <<<"${line}x"
	COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMP_WORDS[COMP_CWORD]=${COMP_WORDS[COMP_CWORD]%x}
	COMPREPLY=(); _twokey twokey "${COMP_WORDS[COMP_CWORD]}"; echo "${COMPREPLY[*]}"
done`, "bash"},
	"zsh": {"zsh", "-f", "-c", `compadd() { shift; offered+=(${(M)@:#$PREFIX*}) }
compset() { PREFIX=${PREFIX#*=} }
_files() { offered+=('<files>' $*) }; _users() { offered+=('<users>') }; _groups() { offered+=('<groups>') }
script=$1; shift
while IFS= read -r line; do
	words=("${(@s: :)line}"); CURRENT=$#words; PREFIX=$words[-1]; offered=()
	source $script; echo $offered
done`, "zsh"},
	"fish": {"fish", "--no-config", "-c", `source $argv[1]
while read -l line
	echo (complete -C "$line" | string split -f 1 \t)
end`},
}

// offers are a shell's answers to unfinished command lines.
func offers(t *testing.T, shell string, lines []string) map[string][]string {
	t.Helper()
	script := filepath.Join(t.TempDir(), "completion")
	if err := os.WriteFile(script, []byte(printed(t, "completion", shell)), 0o600); err != nil {
		t.Fatal(err)
	}
	driver := append(slices.Clone(drivers[shell]), script)
	cmd := exec.Command(driver[0], driver[1:]...)
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "LC_ALL=C.UTF-8"}
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	answers := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if err != nil || complaint.Len() > 0 || len(answers) != len(lines) {
		t.Fatalf("%s: %v: %d answers to %d lines: %s", shell, err, len(answers), len(lines), complaint.String())
	}
	all := map[string][]string{}
	for i, line := range lines {
		all[line] = strings.Fields(answers[i])
		slices.Sort(all[line])
	}
	return all
}

func TestEveryCommandAndFlagIsCompletedInEveryShell(t *testing.T) {
	app := newApp(&ui{in: newInput(strings.NewReader(""))})
	want := map[string][]string{}
	flags := func(line string, flags []cli.Flag) {
		for _, flag := range append(flags, cli.HelpFlag) {
			for _, name := range flag.Names() {
				if len(name) > 1 {
					want[line+"--"] = append(want[line+"--"], "--"+name)
				}
			}
		}
	}
	flags("twokey ", app.Flags)
	for words, command := range paths(app.Commands) {
		if command.Hidden {
			continue
		}
		flags("twokey "+words+" ", command.Flags)
		first, below, deeper := strings.Cut(words, " ")
		if !slices.Contains(want["twokey "], first) {
			want["twokey "] = append(want["twokey "], first)
		}
		if deeper {
			want["twokey "+first+" "] = append(want["twokey "+first+" "], below)
		}
	}
	var lines []string
	for line := range want {
		lines = append(lines, line)
	}
	if len(lines) < 50 {
		t.Fatalf("only %d lines are tried", len(lines))
	}
	for shell := range drivers {
		got := offers(t, shell, lines)
		for line, words := range want {
			slices.Sort(words)
			if !slices.Equal(got[line], words) {
				t.Errorf("%s offers behind %q: %q, want %q", shell, line, got[line], words)
			}
		}
	}
}

func TestArgumentsAndValuesAreCompleted(t *testing.T) {
	want := map[string]string{
		"twokey reset roo": "root", "twokey unlock root roo": "root", "twokey policy require --group roo": "root",
		"twokey --config /etc/passw": "/etc/passwd /etc/passwd-", "twokey policy req": "require", "twokey --root / polic": "policy",
		"twokey version roo": "", "twokey enroll --digits roo": "", "twokey enroll --device reset --replac": "--replace",
		"twokey serve-sel": "", "twokey ma": "", "twokey policy require --group policy roo": "root",
	}
	lines := []string{}
	for line := range want {
		lines = append(lines, line)
	}
	for line, got := range offers(t, "bash", lines) {
		if strings.Join(got, " ") != want[line] {
			t.Errorf("bash offers behind %q: %q, want %q", line, got, want[line])
		}
	}
	for line, got := range offers(t, "fish", lines) {
		if strings.Join(got, " ") != want[line] {
			t.Errorf("fish offers behind %q: %q, want %q", line, got, want[line])
		}
	}
	kinds := map[string]string{"users": "<users>", "groups": "<groups>", "files": "<files>"}
	for line, kind := range map[string]string{"twokey reset ": "users", "twokey policy require --group ": "groups", "twokey --config ": "files",
		"twokey --config=": "files", "twokey --root=/ reset ": "users", "twokey enroll --digits ": "", "twokey version ": ""} {
		if got := offers(t, "zsh", []string{line})[line]; strings.Join(got, " ") != kinds[kind] {
			t.Errorf("zsh offers behind %q: %q, want %s", line, got, kind)
		}
	}
}

// Readline takes the flag, "=" and the value for three words.
func TestBashCompletesTheValueBehindAnEqualsSign(t *testing.T) {
	got := offers(t, "bash", []string{"twokey reset --group = roo", "twokey --config = /etc/passw"})
	if !slices.Equal(got["twokey reset --group = roo"], []string{"root"}) || len(got["twokey --config = /etc/passw"]) == 0 {
		t.Errorf("%q", got)
	}
}
