package moduletest

import (
	"encoding/hex"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"testing"

	"twokey/internal/pamtest"
	"twokey/pamhook/wire"
)

// hello returns what the module told the helper, as the Go package understands it.
func (o outcome) hello() *wire.Hello {
	o.t.Helper()
	b, err := hex.DecodeString(o.noted("hello"))
	if err != nil {
		o.t.Fatal(err)
	}
	h, err := wire.ParseHello(b)
	if err != nil {
		o.t.Fatalf("%x: %v", b, err)
	}
	if encoded, err := h.Encode(); err != nil || string(encoded) != string(b) {
		o.t.Errorf("the module writes %x, the Go package %x (%v)", b, encoded, err)
	}
	return h
}

func TestHelloHasEveryItem(t *testing.T) {
	options := []string{"-i", "rhost=192.0.2.7", "-i", "ruser=bob", "-i", "tty=ssh", "-e", "SSH_AUTH_INFO_0=publickey ssh-ed25519 AAAA",
		"-x", "silent"}
	o := try{kit: plain(t), helper: "allow", args: "after=password config=/etc/x.yaml debug", options: options}.run(t)
	o.expect(success)
	h := o.hello()
	want := wire.Hello{
		Nonce: h.Nonce, Phase: wire.PhaseAuthenticate, Flags: wire.FlagAfterPassword | wire.FlagDebug | wire.FlagSilent,
		User: "nobody", Name: "nobody", UID: nobody, GIDs: []uint32{nobody}, Home: "/nonexistent", Shell: "/usr/sbin/nologin",
		Service: "service", RHost: "192.0.2.7", RUser: "bob", TTY: "ssh", SSHAuthInfo: "publickey ssh-ed25519 AAAA",
		Config: "/etc/x.yaml",
	}
	if got := *h; !equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func equal(a, b wire.Hello) bool {
	x, errX := a.Encode()
	y, errY := b.Encode()
	return errX == nil && errY == nil && string(x) == string(y)
}

func TestHelloNamesThePhaseAndHasAFreshNonce(t *testing.T) {
	o := try{kit: plain(t), helper: "allow-account", phases: "auth,acct,open"}.run(t)
	nonces := map[string]bool{}
	for i, line := range linesOf(o.seen, "hello") {
		if phase := line[34:36]; phase != "0"+strconv.Itoa(i+1) {
			t.Errorf("run %d: phase %s", i, phase)
		}
		nonces[line[2:34]] = true
	}
	if len(nonces) != 3 {
		t.Errorf("nonces %v", nonces)
	}
}

func TestHelloTellsAnUnknownUserFromAFailedLookup(t *testing.T) {
	for name, c := range map[string]struct {
		user, fault string
		flags       wire.Flags
		known       string
	}{
		"a known user":                    {"nobody", "none", 0, "nobody"},
		"a known user with a large entry": {"nobody", "getpwnam-big", 0, "nobody"},
		"nobody of this name":             {"twokey-" + pamtest.Suffix(), "none", 0, ""},
		"the name service fails":          {"nobody", "getpwnam", wire.FlagLookupFailed, ""},
		"an entry that never fits":        {"nobody", "getpwnam-endless", wire.FlagLookupFailed, ""},
		"a name with control characters":  {"no\nbody\x1b[2J", "none", 0, ""},
		"a name that is not UTF-8":        {"\xff\xfe", "none", 0, ""},
		"a name with a slash":             {"../../etc/passwd", "none", 0, ""},
		"a name of 300 characters":        {strings.Repeat("a", 300), "none", 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			for _, k := range []kit{plain(t), sanitized(t)} {
				o := try{kit: k, helper: "allow", user: c.user, options: []string{"-f", c.fault}}.run(t)
				o.expect(success)
				if h := o.hello(); h.User != c.user || h.Flags != c.flags || h.Name != c.known {
					t.Errorf("user %q, name %q, flags %d", h.User, h.Name, h.Flags)
				}
			}
		})
	}
}

func TestHelloHasAllGroups(t *testing.T) {
	name, _ := pamtest.TempUser(t)
	u, err := user.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	want, err := u.GroupIds()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	h := try{kit: plain(t), helper: "allow", user: name}.run(t).hello()
	for _, gid := range h.GIDs {
		got = append(got, strconv.FormatUint(uint64(gid), 10))
	}
	if len(got) == 0 || got[0] != u.Gid {
		t.Errorf("the primary group %s is not first in %v", u.Gid, got)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) || strconv.FormatUint(uint64(h.UID), 10) != u.Uid {
		t.Errorf("uid %d, groups %v, want %s, %v", h.UID, got, u.Uid, want)
	}
	many := try{kit: sanitized(t), helper: "allow", options: []string{"-f", "groups-300"}}.run(t).hello()
	if len(many.GIDs) != 300 || many.GIDs[0] != nobody || many.GIDs[299] != 100299 {
		t.Errorf("%d groups: %v", len(many.GIDs), many.GIDs)
	}
}

// TestHelloThatWouldLeaveSomethingOutIsNotSent: the helper must not decide on less than the module knows.
func TestHelloThatWouldLeaveSomethingOutIsNotSent(t *testing.T) {
	longest, tooLong := strings.Repeat("a", wire.MaxValue), strings.Repeat("a", wire.MaxValue+1)
	for name, c := range map[string]struct {
		user    string
		options []string
		sent    bool
	}{
		"the longest user name":        {longest, nil, true},
		"a longer user name":           {tooLong, nil, false},
		"the longest remote user":      {"nobody", []string{"-i", "ruser=" + longest}, true},
		"a longer remote user":         {"nobody", []string{"-i", "ruser=" + tooLong}, false},
		"a longer SSH_AUTH_INFO_0":     {"nobody", []string{"-e", "SSH_AUTH_INFO_0=" + tooLong}, false},
		"more than a frame altogether": {longest, []string{"-i", "rhost=" + longest, "-i", "ruser=" + longest, "-i", "tty=" + longest}, false},
		"an empty user name":           {emptyUser, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			for _, k := range []kit{plain(t), sanitized(t)} {
				o := try{kit: k, helper: "allow", user: c.user, options: c.options}.run(t)
				if got := o.get("auth"); (got == success) != c.sent || (o.seen != "") != c.sent {
					t.Errorf("authenticate: %s, the helper was started: %t", got, o.seen != "")
				}
			}
		})
	}
}
