package sysuser

import (
	"os"
	"strings"
	"testing"
)

// However many are asked about, the answer is that for one, whatever the name service is made of.
func TestADirectorySaysOfAGroupWhatIsSaidOfOneUser(t *testing.T) {
	h := newHost(t)
	if err := os.WriteFile(h.dir+"/group", []byte("root:x:0:\nalice:x:70010:\nstaff:x:70012:\nother:x:70012:alice\nwheel:x:70013:alice,bob\nempty:x:70014:\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, services := range []string{"passwd: files twokeytest\ngroup: files twokeytest\n", "passwd: files\ngroup: files\n",
		"passwd: files twokeytest\ngroup: files\ninitgroups: files twokeytest\n", "passwd: files\ngroup: files systemd # as usual\n"} {
		if err := os.WriteFile(h.dir+"/nsswitch.conf", []byte(services), 0o644); err != nil {
			t.Fatal(err)
		}
		var one, many []string
		for _, user := range []string{"alice", "alias", "bob", "carol"} {
			for _, group := range []string{"alice", "staff", "other", "wheel", "empty", "remote", "many", "none", "down"} {
				one, many = append(one, "in|"+user+"|"+group), append(many, "in directory|"+user+"|"+group)
			}
		}
		want := h.ask(one)
		for i, got := range h.ask(many) {
			if got != want[i] {
				t.Errorf("%q: %s: %s, want %s", services, many[i], got, want[i])
			}
		}
	}
}

func TestOnlyAFileTellsAllMembers(t *testing.T) {
	for text, want := range map[string]bool{
		"group: files\n": true,
		"passwd: files sss\n group:\tfiles systemd\n": true,
		"group: files\ninitgroups: files\n":           true,
		"":                                            false, // what libc does then depends on its version
		"# group: files\n":                            false,
		"group: files sss\n":                          false,
		"group: files [SUCCESS=merge] systemd\n":      false,
		"group: compat\n":                             false,
		"group: files\ninitgroups: files ldap\n":      false,
		"group: files\ngroup: ldap\n":                 false,
		"group: files # ldap\n":                       true,
		"netgroup: files\n":                           false,
	} {
		if got := onlyFiles(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
	if got := strings.Join(listedFor("a:x:7:\nb:x:07:no\nc:x:7:x,y\nd:x:7\n+e::7:z\nf:x:77:no\n", 7), " "); strings.TrimSpace(got) != "x y z" {
		t.Errorf("%q", got)
	}
}
