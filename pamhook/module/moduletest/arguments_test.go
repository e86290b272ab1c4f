package moduletest

import (
	"strings"
	"testing"
)

func TestArgumentThatIsNotUnderstoodDeniesInEveryPhase(t *testing.T) {
	for _, args := range []string{
		"nullok", "nouserok", "Decoy", "DECOY", "decoy=", "decoy decoy", "debug=1", "debug debug", "after", "after=", "after=pubkey",
		"after=password after=password", "after=password,pubkey", "config", "config=", "config=twokey.yaml", "config=../etc/twokey.yaml",
		"config=/a config=/b", "helper", "helper=", "helper=twokey-verify", "helper=/bin/true", "try_first_pass", "socket",
		"socket=", "socket=verify.sock", "socket=/a socket=/a", "socket=/" + strings.Repeat("x", 107), "=", "-", "decoy\xff",
	} {
		t.Run(args, func(t *testing.T) {
			y := try{kit: plain(t), helper: "allow-account", args: args, phases: "auth,acct,open"}
			o := y.run(t)
			o.expect(authErr)
			if o.get("acct") != permDenied || o.get("open") != sessionErr || o.seen != "" {
				t.Errorf("%s%s", o.out, o.seen)
			}
			o.expectLog("unknown, repeated or malformed argument")
			y.phases = "cred,close"
			if o := y.run(t); o.get("cred") != success || o.get("close") != success {
				t.Errorf("setcred and close_session have nothing to refuse:\n%s", o.out)
			}
		})
	}
}

func TestArgumentsThatAreUnderstood(t *testing.T) {
	for args, flags := range map[string]string{" ": "0000", "after=password": "0002", "debug": "0010", "config=/etc/x.yaml": "0000"} {
		t.Run(args, func(t *testing.T) {
			o := try{kit: plain(t), helper: "allow", args: args}.run(t)
			o.expect(success)
			if hello := o.noted("hello"); len(hello) < 40 || hello[36:40] != flags {
				t.Errorf("flags of HELLO %s, want %s", hello, flags)
			}
		})
	}
}

// TestDecoyNeverSucceeds: the helper's verdict does not matter on a decoy line.
func TestDecoyNeverSucceeds(t *testing.T) {
	for _, helper := range []string{"allow", "allow-account", "ignore", "deny", "prompt-allow"} {
		t.Run(helper, func(t *testing.T) {
			o := try{kit: plain(t), helper: helper, args: "decoy", answers: []string{"123456"}, phases: "auth,acct"}.run(t)
			o.expect(authErr)
			if o.get("acct") != permDenied {
				t.Error("a decoy account line does not deny")
			}
			if hello := o.noted("hello"); len(hello) < 40 || hello[36:40] != "0001" {
				t.Errorf("flags of HELLO %s", hello)
			}
		})
	}
}

func TestDecoyDoesNotEndTheSession(t *testing.T) {
	if o := (try{kit: plain(t), helper: "allow", args: "decoy", phases: "cred,close"}).run(t); o.get("cred") != success {
		t.Errorf("setcred: %s", o.out)
	}
}

func TestDecoyBelongsIntoAnAuthLine(t *testing.T) {
	o := try{kit: plain(t), helper: "allow", args: "decoy", phases: "acct,open"}.run(t)
	if o.get("acct") != permDenied || o.get("open") != sessionErr || o.seen != "" {
		t.Errorf("%s%s", o.out, o.seen)
	}
	o.expectLog("decoy belongs into an auth line")
}

func TestPhases(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		helper, phases string
		answers        []string
		want           string // the results in order
		starts         int    // how often the helper is started
	}{
		"ALLOW authenticates":                             {"allow", "auth", nil, "auth 0", 1},
		"IGNORE is passed on as such by authenticate":     {"ignore", "auth", nil, "auth 9", 1},
		"nothing to ask: account does not start a helper": {"allow", "auth,acct", nil, "auth 0 acct 0", 1},
		"account alone does not start a helper":           {"deny", "acct", nil, "acct 0", 0},
		"account asks what was announced":                 {"account", "auth,acct", []string{"123456"}, "auth 0 acct 0", 2},
		"account denies on a wrong answer":                {"account", "auth,acct", []string{"654321"}, "auth 0 acct 6", 2},
		"account denies when nobody answers":              {"account", "auth,acct", []string{"@fail"}, "auth 0 acct 6", 2},
		"what was asked in account is not asked again":    {"allow-account", "auth,acct,acct", nil, "auth 0 acct 0 acct 0", 2},
		"a denied account phase asks again":               {"account", "auth,acct,acct", []string{"1", "123456"}, "auth 0 acct 6 acct 0", 3},
		"open_session succeeds on ALLOW":                  {"allow", "open", nil, "open 0", 1},
		"open_session succeeds on IGNORE":                 {"ignore", "open", nil, "open 0", 1},
		"open_session fails on DENY":                      {"deny", "open", nil, "open 14", 1},
		"open_session fails without a verdict":            {"exit-0", "open", nil, "open 14", 1},
		"open_session fails on ALLOW with status 1":       {"allow-exit-1", "open", nil, "open 14", 1},
		"setcred and close_session start nothing":         {"deny", "cred,close", nil, "cred 0 close 0", 0},
	} {
		t.Run(name, func(t *testing.T) {
			for _, k := range []kit{plain(t), sanitized(t)} {
				o := try{kit: k, helper: c.helper, phases: c.phases, answers: c.answers}.run(t)
				var got []string
				for line := range strings.Lines(o.out) {
					if kind, _, _ := strings.Cut(line, " "); strings.Contains(","+c.phases+",", ","+kind+",") {
						got = append(got, strings.TrimSpace(line))
					}
				}
				if strings.Join(got, " ") != c.want {
					t.Errorf("got %q, want %q", got, c.want)
				}
				if starts := len(linesOf(o.seen, "pid")); starts != c.starts {
					t.Errorf("the helper was started %d times, want %d", starts, c.starts)
				}
			}
		})
	}
}

// TestIgnoreInTheAccountPhaseDenies: IGNORE counts in authenticate and open_session only.
func TestIgnoreInTheAccountPhaseDenies(t *testing.T) {
	o := try{kit: plain(t), helper: "account-ignore", phases: "auth,acct"}.run(t)
	if o.expect(success); o.get("acct") != permDenied {
		t.Errorf("account: %s", o.get("acct"))
	}
}

// TestSecondTryForgetsTheFirst: sudo's second try has the PAM data of the first.
func TestSecondTryForgetsTheFirst(t *testing.T) {
	o := try{kit: plain(t), helper: "account-once", phases: "auth,auth,acct", answers: []string{"1"}}.run(t)
	if auth := o.all("auth"); len(auth) != 2 || auth[0] != success || auth[1] != authErr {
		t.Fatalf("authenticate: %q", auth)
	}
	if o.get("acct") != success || len(linesOf(o.seen, "pid")) != 2 {
		t.Errorf("account asks because of the forgotten try:\n%s%s", o.out, o.seen)
	}
}
