package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"twokey/policy"
)

// rendered is a page as man shows it, 200 columns wide, and what troff has to say about it.
func rendered(t *testing.T, page string) (text, warnings string) {
	t.Helper()
	cmd := exec.Command("man", "--warnings=w", "-E", "UTF-8", "-l", "-")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "MANWIDTH=200", "LC_ALL=C.UTF-8", "MANPAGER=cat"}
	var out, complaint bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(page), &out, &complaint
	if err := cmd.Run(); err != nil {
		t.Fatalf("man: %v: %s", err, complaint.String())
	}
	return out.String(), complaint.String()
}

func printed(t *testing.T, words ...string) string {
	t.Helper()
	var out, complaint strings.Builder
	if status := run(append([]string{"twokey"}, words...), strings.NewReader(""), &out, &complaint); status != exitDone || complaint.Len() > 0 {
		t.Fatalf("twokey %s: status %d: %s", strings.Join(words, " "), status, complaint.String())
	}
	return out.String()
}

func TestTroffWarnsOfABadPage(t *testing.T) {
	for _, page := range []string{".NOSUCH macro\n", "\\[nosuch]\n"} {
		if _, warnings := rendered(t, ".TH x 8\n.SH NAME\n"+page); warnings == "" {
			t.Errorf("no warning of %q", page)
		}
	}
}

func TestEveryCommandAndFlagIsInItsPage(t *testing.T) {
	app := newApp(&ui{in: newInput(strings.NewReader(""))})
	overview, pages := "", map[string]string{}
	for _, name := range strings.Fields(printed(t, "man")) {
		text, warnings := rendered(t, printed(t, "man", name))
		if warnings != "" {
			t.Errorf("%s: %s", name, warnings)
		}
		pages[name] = text
		overview = pages["twokey"]
	}
	checkFlags(t, "twokey", overview, app.Flags)
	for words, command := range paths(app.Commands) {
		first, below, _ := strings.Cut(words, " ")
		if command.Hidden {
			if strings.Contains(pages["twokey-"+first], words) {
				t.Errorf("%s is hidden, and in a page", words)
			}
			continue
		}
		if !regexp.MustCompile(`(?m)^ +` + first + `( |$)`).MatchString(overview) {
			t.Errorf("%s is not in twokey(8)", first)
		}
		page := pages["twokey-"+first]
		synopsis := strings.ReplaceAll(strings.TrimSpace("twokey "+words+" [OPTIONS] "+command.ArgsUsage), "…", "...")
		if !strings.Contains(page, "\n       "+synopsis+"\n") {
			t.Errorf("%s: no synopsis %q in\n%s", words, synopsis, page)
		}
		if below != "" { // its own section, and what all have
			_, section, _ := strings.Cut(page, "\n   "+synopsis+"\n")
			section, _, _ = strings.Cut(section, "\n   twokey ")
			_, forAll, _ := strings.Cut(page, "\nOPTIONS OF ALL COMMANDS\n")
			page = section + forAll
		}
		checkFlags(t, words, page, command.Flags)
	}
}

// checkFlags looks for each flag at the beginning of a line, with the word that stands for its value.
func checkFlags(t *testing.T, words, text string, flags []cli.Flag) {
	t.Helper()
	for _, flag := range append(flags, cli.HelpFlag) {
		names, about, _ := strings.Cut(flag.String(), "\t")
		names = strings.ReplaceAll(names, "…", "...")
		if !regexp.MustCompile(`(?m)^ +`+regexp.QuoteMeta(names)+`( |$)`).MatchString(text) || about == "" {
			t.Errorf("%s: %q is not in the page", words, names)
		}
	}
}

func TestTextIsNeverAMacroOfTroff(t *testing.T) {
	for _, text := range []string{".so /etc/passwd", "'br", `\fBbold`, `a "quoted" \[uword]`, "it's ~ ^ ` -x --long", "é €"} {
		var r roff
		r.begin("x", text)
		r.text(text)
		r.item(text, text)
		shown, warnings := rendered(t, r.String())
		if strings.Count(shown, text) != 4 || warnings != "" {
			t.Errorf("%q is shown as\n%s%s", text, shown, warnings)
		}
	}
}

func TestPagesByHandHaveNoWarnings(t *testing.T) {
	for _, name := range []string{"pam_twokey.8", "twokey.yaml.5"} {
		text, warnings := rendered(t, byHand(t, name))
		if warnings != "" || !strings.Contains(text, "SEE ALSO") {
			t.Errorf("%s: %s", name, warnings)
		}
	}
}

func byHand(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("../../packaging/man", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestThePageOfTheModuleSaysWhatTheModuleTakes(t *testing.T) {
	source, err := os.ReadFile("../../pamhook/module/pam_twokey.c")
	if err != nil {
		t.Fatal(err)
	}
	text, _ := rendered(t, byHand(t, "pam_twokey.8"))
	arguments := regexp.MustCompile(`strn?cmp\(arg, "([a-z]+)(=[a-z]+)?`).FindAllStringSubmatch(string(source), -1)
	if len(arguments) < 6 {
		t.Fatalf("only %d arguments were found", len(arguments))
	}
	for _, argument := range arguments {
		if !regexp.MustCompile(`(?m)^       ` + argument[1] + argument[2] + `(=FILE)?( |$)`).MatchString(text) {
			t.Errorf("the argument %s is not in the page", argument[1])
		}
	}
	for _, result := range regexp.MustCompile(`PAM_(SUCCESS|IGNORE|[A-Z]+_ERR|PERM_DENIED)\b`).FindAllString(string(source), -1) {
		if !strings.Contains(text, "\n       "+result+"\n") {
			t.Errorf("the result %s is not in the page", result)
		}
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, stack, _ := strings.Cut(string(readme), "\nauth     [success=2")
	stack, _, _ = strings.Cut("auth     [success=2"+stack, "```")
	for line := range strings.Lines(stack) {
		line, _, _ = strings.Cut(line, "#")
		if !strings.Contains(text, "\n       "+strings.TrimSpace(line)+"\n") {
			t.Errorf("the page lacks the line of README's stack %q", line)
		}
	}
}

func TestTheExamplesOfTheConfigurationsPageAreConfigurations(t *testing.T) {
	text, _ := rendered(t, byHand(t, "twokey.yaml.5"))
	examples := regexp.MustCompile(`(?m)^       version: 1\n(       .+\n)+`).FindAllString(text, -1)
	if len(examples) != 2 {
		t.Fatalf("%d examples in\n%s", len(examples), text)
	}
	for _, example := range examples {
		example = strings.ReplaceAll(example, "\n       ", "\n")
		if _, err := policy.Parse([]byte(strings.TrimPrefix(example, "       "))); err != nil {
			t.Errorf("%v in\n%s", err, example)
		}
	}
}
