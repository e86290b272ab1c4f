package apps

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"twokey/internal/pamtest"
)

// jumpConfig is an ssh_config(5) by which "ssh inner" goes through a bastion, which it reaches from another address than the bastion's.
func jumpConfig(t *testing.T, user, from string, gateway, host *pamtest.Sshd) string {
	t.Helper()
	dir := t.TempDir()
	known := filepath.Join(dir, "known_hosts")
	text := "Host inner\n  Port " + host.Port + "\n  ProxyJump bastion\nHost direct\n  Port " + host.Port + "\n  BindAddress " + from +
		"\nHost bastion\n  Port " + gateway.Port + "\n  BindAddress " + from + "\nHost *\n  HostName 127.0.0.1\n  User " + user +
		"\n  UserKnownHostsFile " + known + "\n  GlobalKnownHostsFile none\n  NumberOfPasswordPrompts 1\n"
	var hosts strings.Builder
	for _, s := range []*pamtest.Sshd{gateway, host} {
		fmt.Fprintf(&hosts, "[127.0.0.1]:%s %s", s.Port, ssh.MarshalAuthorizedKey(s.HostKey))
	}
	must(t, os.WriteFile(known, []byte(hosts.String()), 0o600))
	config := filepath.Join(dir, "config")
	must(t, os.WriteFile(config, []byte(text), 0o600))
	return config
}

// The OpenSSH client through a bastion, in one command: one question for a code, and it is the bastion's. Without the bastion the inner
// host asks.
func TestSSHJumpsThroughABastion(t *testing.T) {
	t.Parallel()
	outer, inner := bastionSettings(t)
	users := newUsers(t, 1)
	users[0].Password = aPassword
	gate, people := newSiteOf(t, outer, users)
	house, within := newSiteOf(t, inner, users)
	anna, inside := gate.enrol(people[0]), house.enrol(within[0])
	gateway, host := gate.Sshd(), house.Sshd()
	config := jumpConfig(t, anna.Name, "127.0.0.3", gateway, host)
	for _, c := range []struct {
		name, to, code string
		in             bool
	}{
		{"through the bastion with its code", "inner", anna.code(t, 0), true},
		{"through the bastion with a wrong code", "inner", anna.wrong(t), false},
		{"through the bastion with a code of the inner host", "inner", inside.code(t, 1), false},
		{"past the bastion with a code of the inner host", "direct", inside.code(t, 0), true},
		{"past the bastion with a code of the bastion", "direct", anna.code(t, 1), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command("ssh", "-F", config, c.to, enters)
			cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "TERM=dumb"}
			x := pamtest.OpenTerminal(t, cmd)
			questions := 0
			for over := false; !over; {
				switch x.Expect("assword: ", "Verification code: ", "inside-42", "Permission denied") {
				case 0:
					x.Type(aPassword + "\n")
				case 1:
					questions++
					x.Type(c.code + "\n")
				case 2:
					over = true
					if !c.in {
						t.Errorf("it was let in:\n%s", x.Screen())
					}
				case 3:
					over = true
					if c.in {
						t.Errorf("it was refused:\n%s", x.Screen())
					}
				}
			}
			if questions != 1 {
				t.Errorf("%d codes were asked for:\n%s", questions, x.Screen())
			}
		})
	}
}
