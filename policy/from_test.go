package policy

import (
	"slices"
	"testing"
)

// places are items of from, right and wrong, and the clients of whom they are asked.
var places = []string{"192.0.2.1", "192.0.2.0/24", "0.0.0.0/0", "2001:db8::1", "2001:DB8::/32", "::/0", "::ffff:192.0.2.1", "::ffff:192.0.2.0/120", "localhost",
	"Gate.Example.org", "a_b-c", "", " ", "!a", ".example.org", "192.0.2", "192.0.2.1/24", "192.0.2.0/33", "fe80::1%eth0", "[::1]", "a..b", "a/b", "a:1", "1e3", "\x00", "é.org"}

func TestPlaces(t *testing.T) {
	var wrong []string
	for _, s := range places {
		if checkPlace(s) != "" {
			wrong = append(wrong, s)
		}
	}
	if len(places) != 26 || !slices.Equal(wrong, slices.Concat(places[11:23], places[24:])) {
		t.Errorf("%d places, wrong are %q", len(places), wrong)
	}
}

// FuzzPlace demands that an item is a network or a name, that it holds itself and no client without an address or name, and that
// nobody is in an item that is wrong.
func FuzzPlace(f *testing.F) {
	for _, s := range places {
		for _, client := range places {
			f.Add(s, client)
		}
	}
	f.Fuzz(func(t *testing.T, item, client string) {
		p, wrong := parsePlace(item)
		_, found := comesFrom([]string{item}, client)
		switch {
		case wrong != "":
			if found || p != (place{}) {
				t.Fatalf("%q is wrong (%s), and %q is in it", item, wrong, client)
			}
			return
		case p.network.IsValid() == (p.name != "") || !p.covers(p):
			t.Fatalf("%q is %+v", item, p)
		case p.network.IsValid() && p.network.Addr().Is4In6():
			t.Fatalf("%q stays IPv4 in IPv6", item)
		}
		if other, otherWrong := parsePlace(client); found && otherWrong == "" && !p.covers(other) {
			t.Fatalf("%q is in %q, which does not cover it", client, item)
		}
		if found && client == "" {
			t.Fatalf("a login from no host is in %q", item)
		}
	})
}
