package ansibletest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// block is one of a document, with what stands behind its three ticks.
type block struct{ kind, text string }

var blocks = regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$")

// readDocument gives a document's blocks. The last day of the examples is over some day: it is replaced by one that is not.
func readDocument(t *testing.T, name string) (all []block) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(top, "docs", name))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(content), "2026-12-31", time.Now().AddDate(0, 1, 0).Format(time.DateOnly))
	for _, found := range blocks.FindAllStringSubmatch(text, -1) {
		all = append(all, block{found[1], found[2]})
	}
	return all
}

// run does a document from top to bottom: files are written, commands run as they stand there. It returns what each has printed.
// The statuses are those of commands that do not end with 0.
func (s *site) run(document string, statuses map[string]int) map[string]string {
	s.t.Helper()
	printed := map[string]string{}
	for _, b := range readDocument(s.t, document) {
		first, _, _ := strings.Cut(b.text, "\n")
		switch {
		case b.kind == "csv":
			s.write("users.csv", b.text)
			s.write("all.csv", b.text)
		case b.kind == "yaml" && strings.HasPrefix(first, "# "):
			s.write(strings.TrimPrefix(first, "# "), b.text)
		case b.kind == "sh":
			for line := range strings.Lines(b.text) {
				command, is := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "$ ")
				if !is {
					s.t.Fatalf("%s: %q is no command", document, line)
				}
				// The same command again has another number.
				key := command
				for printed[key] != "" {
					key += " again"
				}
				printed[key] = s.do(statuses[key], command) + "\n"
			}
		default:
			s.t.Errorf("%s: a block %q that is not understood: %q", document, b.kind, first)
		}
	}
	return printed
}

func TestTheCommandsOfTheDocumentOnProvisioning(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.write("hosts", inventory)
	s.do(0, "twokey init")
	printed := s.run("provisioning.md", map[string]int{"sudo twokey apply -f users.csv --sheets sheets --check --diff": 3})
	if len(printed) != 17 {
		t.Errorf("%d commands were found", len(printed))
	}
	for command, want := range map[string]string{
		"sudo twokey list --missing":                               `(?m)^alice.*\n(?s:.*)^bob`,
		"sudo twokey enroll --code bob":                            `\b\w{4}-\w{4}-\w{4}\b`,
		"sudo twokey apply -f users.csv --sheets sheets":           `Of 2 users 2 changed`,
		"sudo twokey apply -f users.csv --check":                   `Of 2 users 0 would change`,
		"sudo twokey apply -f all.csv --limit 500 --sheets sheets": `Of 2 users 0 changed`,
		"ansible-playbook -i hosts copy.yml":                       `changed=1 `,
		"sudo twokey apply -f gone.yaml --yes":                     `Of 1 user 1 changed`,
	} {
		if !regexp.MustCompile(want).MatchString(printed[command]) {
			t.Errorf("%s has printed %q, want %s", command, printed[command], want)
		}
	}
	// What was made elsewhere is good here.
	if list := s.do(0, "twokey show carol"); !strings.Contains(list, "token") {
		t.Errorf("carol has no token:\n%s", list)
	}
	if code := s.do(0, "echo 755224 | twokey test code carol"); !strings.Contains(code, "Right") {
		t.Errorf("the first code of carol's token (RFC 4226, appendix D): %s", code)
	}
	if _, err := os.Stat(filepath.Join(s.work, "pages/alice~phone.html")); err != nil {
		t.Error(err)
	}
}

func TestThePlaybooksOfTheDocumentOnAnsible(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.write("hosts", inventory)
	s.write("tokens.yml", "token_of_carol: "+givenSecret+"\n")
	const check, real, users = "ansible-playbook -i hosts site.yml --check --diff", "ansible-playbook -i hosts site.yml",
		"ansible-playbook -i hosts users.yml -e sheets=/var/tmp/sheets -e @tokens.yml"
	s.do(0, "mount -t tmpfs tmpfs /var/tmp")
	printed := s.run("ansible.md", nil)
	if len(printed) != 8 {
		t.Errorf("%d commands were found", len(printed))
	}
	if !strings.Contains(printed[check], "+auth     requisite                   pam_twokey.so decoy") {
		t.Errorf("check mode does not show the PAM files:\n%s", printed[check])
	}
	if changes(t, printed[real]) == "0" || changes(t, printed[real+" again"]) != "0" || changes(t, printed[users]) != "2" {
		t.Errorf("first run %s, second %s, users %s", changes(t, printed[real]), changes(t, printed[real+" again"]), changes(t, printed[users]))
	}
	for command, output := range printed {
		if strings.Contains(output, givenSecret) {
			t.Errorf("%s prints a secret", command)
		}
	}
	for file, want := range map[string]string{
		"etc/pam.d/sshd":                    "(?s)^# a comment\nauth +.success=2 default=ignore. +pam_unix.so\nauth .*pam_twokey.so decoy\n.*\naccount +required +pam_twokey.so\n@include common-account\nsession +required +pam_twokey.so\n@include common-session\n@include common-password\n$",
		"etc/pam.d/sudo":                    "(?s)pam_twokey.so decoy\n.*\nsession +required +pam_twokey.so\n@include common-session-noninteractive\n$",
		"etc/pam.d/su":                      "(?s)^auth sufficient pam_rootok.so\n.*pam_twokey.so decoy\n.*\nsession +required +pam_twokey.so\n@include common-session\n$",
		"etc/pam.d/su-l":                    "^auth include su\naccount include su\nsession include su\n$",
		"etc/pam.d/sudo-i.before-twokey":    "@include common-session\n$",
		"etc/pam.d/sshd.before-twokey":      "(?s)^# a comment\n@include common-auth\n",
		"etc/ssh/sshd_config.d/twokey.conf": "KbdInteractiveAuthentication yes",
		"etc/pam.d/twokey-self":             "pam_twokey.so after=password",
		"etc/twokey/twokey.yaml":            "(?s)require:.*managed_by: ansible",
		"work/audit-keys/web1.key":          "^TWOKEY-AUDIT-KEY-1-",
	} {
		content, err := os.ReadFile(s.path(file))
		s.must(err)
		if !regexp.MustCompile(want).Match(content) {
			t.Errorf("%s is\n%s\nwant %s", file, content, want)
		}
	}
}
