package ansibletest

import (
	"strings"
	"testing"
)

// everything is what stands where a role can write: with times, so that what was written and put back shows too.
func (s *site) everything() string {
	s.t.Helper()
	return s.do(0, `find /etc /var/lib /var/log /run /home /usr/libexec "/usr/lib/$1/security" . -xdev -path /run/host -prune -o -printf '%p %y %l %m %u %g %s %T@ %C@\n' | sort`, triplet(s.t))
}

// unchanged runs a playbook in check mode. It must find something to change, and leave everything as it is.
func (s *site) unchanged(playbook string) {
	s.t.Helper()
	before := s.everything()
	out := s.do(0, "ansible-playbook -i hosts --check --diff "+playbook)
	if changes(s.t, out) == "0" {
		s.t.Errorf("%s would change nothing:\n%s", playbook, out)
	}
	after := s.everything()
	if before == after {
		return
	}
	for line := range strings.Lines(after) {
		if !strings.Contains(before, line) {
			s.t.Errorf("%s in check mode has written %s", playbook, line)
		}
	}
	for line := range strings.Lines(before) {
		if !strings.Contains(after, line) {
			s.t.Errorf("%s in check mode has changed or removed %s", playbook, line)
		}
	}
}

// Whoever looks first, on a fresh host and on one that is set up, finds nothing changed.
func TestCheckModeOfTheRoleWritesNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.write("hosts", inventory)
	for _, b := range readDocument(t, "ansible.md") {
		if first, _, _ := strings.Cut(b.text, "\n"); b.kind == "yaml" && strings.HasPrefix(first, "# ") {
			s.write(strings.TrimPrefix(first, "# "), b.text)
		}
	}
	s.unchanged("site.yml")
	s.do(0, "ansible-playbook -i hosts site.yml && cp /etc/pam.d/sshd.before-twokey /etc/pam.d/sshd && rm /etc/ssh/sshd_config.d/twokey.conf")
	s.unchanged("whole.yml")
}
