package doctor

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestVisitsAreWhereSshdOrThePolicyMayDecideOtherwise(t *testing.T) {
	s := newScratch(t, goodFiles())
	s.write("etc/twokey/twokey.yaml", "version: 1\nrequire:\n  - {users: [alice]}\nrules:\n  - {name: office, users: [alice], from: [10.1.0.0/16, bastion.example], then: required}\n"+
		"exempt:\n  - {users: [bob], from: [\"2001:db8::/48\"]}\n")
	s.parse()
	match := []setting{{keyword: "match", value: "Address 198.51.100.0/24 User bob"}, {keyword: "match", value: "User=alice"}}
	e := &examination{Host: s.host}
	show := func(settings []setting) string {
		var all []string
		for _, v := range e.visits(s.people[:2], settings) {
			all = append(all, v.user.Name+" "+v.from)
		}
		return strings.Join(all, ", ")
	}
	if got := show(nil); got != "alice 192.0.2.1" {
		t.Errorf("without Match: %s", got)
	}
	const each = " 192.0.2.1, %U 198.51.100.1, %U 2001:db8::1, %U 10.1.0.1"
	want := strings.ReplaceAll("%U"+each, "%U", "alice") + ", " + strings.ReplaceAll("%U"+each, "%U", "bob")
	if got := show(match); got != want {
		t.Errorf("with Match: %s, want %s", got, want)
	}
	e.From = "203.0.113.5"
	if got := show(match); got != "alice 203.0.113.5, bob 203.0.113.5" {
		t.Errorf("narrowed: %s", got)
	}
	e.From = ""
	crowd := slices.Repeat(s.people[:1], 500)
	for i := range crowd {
		crowd[i].Name += strings.Repeat("x", i)
	}
	match = append(match, setting{keyword: "match", value: "Address 203.0.113.1,203.0.113.2"})
	if got := len(e.visits(crowd, match)); got != maxVisits {
		t.Errorf("a crowd: %d runs of sshd", got)
	}
}

func TestAnSshdThatHangsIsEndedAndToldOf(t *testing.T) {
	s := newScratch(t, goodFiles())
	s.write("usr/sbin/sshd", "#!/bin/sh\nexec sleep 600\n")
	s.host.SSHD = s.path("usr/sbin/sshd")
	s.must(os.Chmod(s.host.SSHD, 0o755))
	s.parse()
	s.host.People = s.people
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	found := bad(Examine(ctx, s.host))
	if len(found) != 1 || found[0].ID != "sshd-unreadable" {
		t.Errorf("found:%s", show(found))
	}
	s.host.SSHD = s.path("usr/sbin/none")
	if found := bad(Examine(t.Context(), s.host)); len(found) != 0 {
		t.Errorf("where there is no sshd:%s", show(found))
	}
}

// Debian's sshd has both of GSSAPI; other builds leave the lines out of sshd -T.
func TestWaysInWithoutAQuestion(t *testing.T) {
	yes := []string{"yes"}
	for what, c := range map[string]struct {
		effective map[string][]string
		want      string
	}{
		"nothing":              {map[string][]string{}, ""},
		"keys":                 {map[string][]string{"pubkeyauthentication": yes}, "publickey"},
		"hosts":                {map[string][]string{"hostbasedauthentication": yes}, "hostbased"},
		"Kerberos":             {map[string][]string{"gssapiauthentication": yes}, "gssapi-with-mic"},
		"both of Kerberos":     {map[string][]string{"gssapiauthentication": yes, "gssapikeyexchange": yes}, "gssapi-with-mic gssapi-keyex"},
		"the exchange alone":   {map[string][]string{"gssapikeyexchange": yes}, ""},
		"a list with Kerberos": {map[string][]string{"authenticationmethods": {"gssapi-keyex publickey,password"}}, "gssapi-keyex"},
	} {
		s := newScratch(t, goodFiles())
		s.parse()
		e := &examination{Host: s.host}
		check := &sshdCheck{examination: e, effective: c.effective}
		check.methods()
		if got := strings.Join(check.lets.Unasked, " "); got != c.want || (len(e.found) > 0) != (c.want != "") {
			t.Errorf("%s: %q, want %q, and found:%s", what, got, c.want, show(e.found))
		}
	}
}

func TestWaysOfAuthenticationMethods(t *testing.T) {
	for methods, want := range map[string]string{
		"any":                            "sshd-keys-alone",
		"keyboard-interactive":           "",
		"publickey,keyboard-interactive": "",
		"publickey,keyboard-interactive:pam keyboard-interactive:pam": "",
		"publickey":          "sshd-keys-alone",
		"password":           "",
		"publickey,password": "",
		"publickey,keyboard-interactive hostbased": "sshd-method-passes-by",
		"password,keyboard-interactive":            "sshd-asks-twice",
	} {
		s := newScratch(t, goodFiles())
		s.parse()
		e := &examination{Host: s.host}
		c := &sshdCheck{examination: e, effective: map[string][]string{"authenticationmethods": {methods}, "pubkeyauthentication": {"yes"}}}
		c.methods()
		var ids []string
		for _, f := range e.found {
			ids = append(ids, f.ID)
		}
		if got := strings.Join(ids, " "); got != want {
			t.Errorf("%s: %q, want %q", methods, got, want)
		}
	}
}
