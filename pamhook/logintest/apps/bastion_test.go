package apps

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// bastionSettings are what docs/policy.md gives a bastion and its inner hosts, whose bastion has the address 127.0.0.1 here.
func bastionSettings(t *testing.T) (bastion, inner string) {
	t.Helper()
	text, err := os.ReadFile("../../../docs/policy.md")
	must(t, err)
	_, section, _ := strings.Cut(string(text), "\n## A bastion\n")
	section, _, _ = strings.Cut(section, "\n## ")
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(section, -1)
	if len(blocks) != 2 || !strings.Contains(blocks[1][1], "from: [192.0.2.10]") {
		t.Fatalf("%d blocks: %q", len(blocks), blocks)
	}
	return blocks[0][1], strings.ReplaceAll(blocks[1][1], "192.0.2.10", "127.0.0.1")
}

// The second factor is asked by the bastion, and not again by the host behind it; there it is asked of whoever does not come from it.
func TestABastion(t *testing.T) {
	t.Parallel()
	const outside = "127.0.0.3"
	outer, inner := bastionSettings(t)
	users := newUsers(t, 2)
	gate, people := newSiteOf(t, outer, users)
	house, within := newSiteOf(t, inner, users)
	for _, p := range people {
		gate.enrol(p)
	}
	anna, bert := people[0], people[1]
	house.enrol(within[0]) // bert has no device on the inner host
	gateway, host := gate.Sshd(), house.Sshd()

	wrong := gate.visitor(anna, anna.wrong(t))
	wrong.from = outside
	if v := wrong.visit(t, gateway); v.in() {
		t.Error("the bastion lets in with a wrong code")
	}
	for _, p := range people {
		v := gate.visitor(p, p.code(t, 0))
		v.from = outside
		through := v.visit(t, gateway)
		through.mustShow(t, asksPassword, asksCode)
		if !through.in() {
			t.Fatalf("the bastion refused %s: %v", p.Name, through.err)
		}
		conn, err := through.Dial("tcp", host.Address("127.0.0.1"))
		must(t, err)
		var asked []string
		answer := func(_, _ string, questions []string, _ []bool) ([]string, error) {
			asked = append(asked, questions...)
			return slices.Repeat([]string{house.Password}, len(questions)), nil
		}
		client, err := visitor{user: p.Name}.login(t, host, conn, ssh.KeyboardInteractive(answer))
		if client == nil || !slices.Equal(asked, asksPassword.questions) {
			t.Errorf("%s behind the bastion was asked %q: %v", p.Name, asked, err)
			continue
		}
		if out, status := (visit{Client: client}).run(t, "id -un"); out != p.Name+"\n" || status != 0 {
			t.Errorf("behind the bastion: %q, status %d", out, status)
		}
	}

	direct := house.visitor(within[0], within[0].code(t, 0))
	direct.from = outside
	v := direct.visit(t, host)
	v.mustShow(t, asksPassword, asksCode)
	if !v.in() {
		t.Errorf("who does not come from the bastion and has a code was refused: %v", v.err)
	}
	direct = house.visitor(bert, "123456")
	direct.from = outside
	if v := direct.visit(t, host); v.in() {
		t.Error("who does not come from the bastion and has no device was let in")
	}
}

// What docs/policy.md warns of: somebody deletes the lines with twokey in them. pam_permit must then let nobody in, whatever the password.
func TestWithoutItsLinesTheStackLetsNobodyIn(t *testing.T) {
	t.Parallel()
	s, people := newSite(t, "default: required", 1)
	lines := slices.DeleteFunc(s.stack(), func(line string) bool { return strings.Contains(line, "pam_twokey") })
	if len(lines) != 5 {
		t.Fatalf("%q", lines)
	}
	s.Service("sshd", lines...)
	sshd := s.Sshd()
	for why, password := range map[string]string{"a wrong password": "wrong", "a right password": people[0].Password} {
		if v := (visitor{user: people[0].Name, password: password}).visit(t, sshd); v.in() {
			t.Errorf("%s was enough", why)
		}
	}
}
