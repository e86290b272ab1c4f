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

// TestHelloThatLeavesSomethingOutIsDenied: the helper must not decide on less than the module knows, but is to write it down.
func TestHelloThatLeavesSomethingOutIsDenied(t *testing.T) {
	longest, tooLong := strings.Repeat("a", wire.MaxValue), strings.Repeat("a", wire.MaxValue+1)
	three := []string{"-i", "ruser=" + longest, "-i", "tty=" + longest, "-e", "SSH_AUTH_INFO_0=" + longest}
	// What is left of a frame beside those three, the head, the service and the real uid, for a user whom nobody knows.
	room := wire.MaxPayload - 3*(3+wire.MaxValue) - 20 - (3 + len("service")) - (3 + 4) - 3
	type hello = wire.Hello
	for name, c := range map[string]struct {
		user    string
		options []string
		whole   bool
		kept    func(*hello) bool // what must be there all the same
	}{
		"the longest user name":   {longest, nil, true, func(h *hello) bool { return h.User == longest }},
		"a longer user name":      {tooLong, nil, false, func(h *hello) bool { return h.User == "" && h.Service == "service" }},
		"the longest remote user": {"nobody", three[:2], true, func(h *hello) bool { return h.RUser == longest }},
		"a longer remote user": {"nobody", []string{"-i", "ruser=" + tooLong}, false,
			func(h *hello) bool { return h.User == "nobody" && h.RUser == "" }},
		"a longer SSH_AUTH_INFO_0": {"nobody", []string{"-i", "rhost=192.0.2.7", "-e", "SSH_AUTH_INFO_0=" + tooLong}, false,
			func(h *hello) bool { return h.User == "nobody" && h.RHost == "192.0.2.7" && h.SSHAuthInfo == "" }},
		"more groups than fit": {"nobody", []string{"-f", "groups-5000"}, false,
			func(h *hello) bool { return h.Name == "nobody" && h.GIDs == nil }},
		"more than a frame altogether": {longest, three, false,
			func(h *hello) bool { return h.User == longest && h.TTY == longest && h.SSHAuthInfo == "" }},
		"as much as a frame holds": {longest[:room], three, true, func(h *hello) bool { return h.SSHAuthInfo == longest }},
		"one byte more, and the real uid is kept": {longest[:room+1], three, false,
			func(h *hello) bool { return h.SSHAuthInfo == "" }},
	} {
		t.Run(name, func(t *testing.T) {
			for _, k := range []kit{plain(t), sanitized(t)} {
				for _, helper := range []string{"allow", "ignore"} {
					o := try{kit: k, helper: helper, user: c.user, options: c.options}.run(t)
					h := o.hello()
					if !c.kept(h) || (h.Flags&wire.FlagItemTooLong == 0) != c.whole {
						t.Errorf("flags %d, user %.9q, rhost %.9q, ruser %.9q, tty %.9q", h.Flags, h.User, h.RHost, h.RUser, h.TTY)
					}
					// What is whole is not always let in: libpam cannot write a long terminal to the kernel's audit log.
					if got := o.get("auth"); (got == success || got == ignored) && !c.whole {
						t.Errorf("%s: authenticate: %s", helper, got)
					}
					if strings.Contains(o.out, "too long for the helper") == c.whole {
						t.Errorf("%s: the log says\n%s", helper, o.all("log"))
					}
				}
			}
		})
	}
}

// TestNobodyIsAskedWhenSomethingIsTooLong: no answer could help, and none is to be spent.
func TestNobodyIsAskedWhenSomethingIsTooLong(t *testing.T) {
	for _, helper := range []string{"prompt-allow", "authtok-allow"} {
		o := try{
			kit: plain(t), helper: helper, answers: []string{"123456"}, options: []string{"-i", "ruser=" + strings.Repeat("a", wire.MaxValue+1)},
		}.run(t)
		o.expect(authErr)
		if len(o.all("hidden")) != 0 || !strings.Contains(o.seen, "no answer: 1\n") {
			t.Errorf("%s: %s%.200s", helper, o.out, o.seen)
		}
	}
}

func TestEmptyUserNameStartsNoHelper(t *testing.T) {
	for _, k := range []kit{plain(t), sanitized(t)} {
		o := try{kit: k, helper: "allow", user: emptyUser}.run(t)
		o.expect(authErr)
		if o.seen != "" {
			t.Error("the helper was started")
		}
	}
}
