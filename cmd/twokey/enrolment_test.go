package main

import (
	"strings"
	"testing"

	"twokey/state"
)

func TestWhoAddsADevice(t *testing.T) {
	for sentence, c := range map[string]struct{ name, login, sudo, want string }{
		"root at the console":                          {"root", "root", "", "root"},
		"a program of the system":                      {"root", "", "", "root"},
		"carol by sudo":                                {"root", "carol", "carol", "root (carol)"},
		"carol by su, which says nothing":              {"root", "carol", "", "root (carol)"},
		"carol, who says that she is bob":              {"root", "carol", "bob", "root (carol)"},
		"carol where the kernel does not know":         {"root", "", "carol", "root (carol)"},
		"carol by sudo on a console on which root was": {"root", "root", "carol", "root (carol)"},
		"root by sudo":                                 {"root", "root", "root", "root"},
		"somebody for himself":                         {"carol", "carol", "", "carol"},
	} {
		if got := signature(c.name, c.login, c.sudo); got != c.want {
			t.Errorf("%s: %q, want %q", sentence, got, c.want)
		}
	}
}

func TestTheOwnerOfANewDeviceIsToldWhoAddedIt(t *testing.T) {
	root, dir := newRoot(t)
	t.Setenv("SUDO_USER", "nobody")
	succeed(t, root, "enroll", "daemon", "--qr", "none")
	st, err := state.Open(dir + "/var/lib/twokey")
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	found, err := st.Read("daemon")
	if err != nil {
		t.Fatal(err)
	}
	notices := found.TakeNotices()
	if len(notices) != 1 || !strings.HasPrefix(notices[0].By, "root (") || notices[0].Device != found.Devices[0].ID {
		t.Errorf("%+v", notices)
	}
}
