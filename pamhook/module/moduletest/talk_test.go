package moduletest

import (
	"slices"
	"strings"
	"testing"

	"twokey/internal/pamtest"
	"twokey/pamhook/wire"
)

const junk = "\b\n\r\177INCORRECT"

func TestAnswerReachesTheHelper(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ answer, want string }{
		"a code":                             {"123456", "answer: 123456"},
		"nothing but the return key":         {"", "answer: "},
		"UTF-8":                              {"grün", "answer: grün"},
		"bytes that are not UTF-8":           {"\xff\xfe\x80", "answer: \xff\xfe\x80"},
		"control characters":                 {"\x1b[2J\x01", "answer: \x1b[2J\x01"},
		"the longest answer":                 {strings.Repeat("7", wire.MaxAnswer), "answer: " + strings.Repeat("7", wire.MaxAnswer)},
		"an answer that is too long":         {"@long", "no answer: 4"},
		"ten kilobytes":                      {strings.Repeat("7", 10000), "no answer: 4"},
		"a response without text":            {"@null", "no answer: 1"},
		"a conversation that fails":          {"@fail", "no answer: 1"},
		"an answer after the end of all":     {"@late:120", "no answer: 1"},
		"an answer just before it":           {"@late:100", "answer: 123456"},
		"sshd's junk":                        {junk, "no answer: 3"},
		"sshd's junk, one byte":              {"\b", "no answer: 3"},
		"sshd's junk, six bytes":             {junk[:6], "no answer: 3"},
		"sshd's junk, thirty bytes":          {(junk + junk + junk)[:30], "no answer: 3"},
		"almost sshd's junk, first byte":     {"x" + junk[1:], "answer: x" + junk[1:]},
		"almost sshd's junk, last byte":      {junk[:12] + "t", "answer: " + junk[:12] + "t"},
		"almost sshd's junk, after one turn": {junk + "x", "answer: " + junk + "x"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, k := range []kit{plain(t), sanitized(t)} {
				o := try{kit: k, helper: "prompt", answers: []string{c.answer}}.run(t)
				if !strings.Contains(o.seen, c.want+"\n") {
					t.Errorf("the helper saw %.200q, want %.200q", o.seen, c.want)
				}
				if right := c.want == "answer: 123456"; (o.get("auth") == success) != right {
					t.Errorf("authenticate: %s", o.get("auth"))
				}
			}
		})
	}
}

// TestPasswordIsNotAnAnswer: sshd's "password" method gives the password to every prompt.
func TestPasswordIsNotAnAnswer(t *testing.T) {
	t.Parallel()
	name, password := pamtest.TempUser(t)
	for what, c := range map[string]struct{ answer, want string }{
		"the password again":          {password, "no answer: 2"},
		"the password and more":       {password + "1", "answer: " + password + "1"},
		"the password without an end": {password[:15], "answer: " + password[:15]},
		"the password twice":          {password + password, "answer: " + password + password},
		"another text of its length":  {password[:15] + "x", "answer: " + password[:15] + "x"},
		"nothing":                     {"", "answer: "},
		"the code":                    {"123456", "answer: 123456"},
	} {
		t.Run(what, func(t *testing.T) {
			for _, k := range []kit{plain(t), sanitized(t)} {
				o := try{
					kit: k, helper: "prompt-allow", user: name, before: []string{"auth required pam_unix.so nodelay"},
					answers: []string{password, c.answer},
				}.run(t)
				o.expect(success)
				if !strings.Contains(o.seen, c.want+"\n") {
					t.Errorf("the helper saw %q, want %q", o.seen, c.want)
				}
				if want := []string{"Password: ", "Code: "}; !slices.Equal(o.all("hidden"), want) {
					t.Errorf("prompts %q, want %q", o.all("hidden"), want)
				}
			}
		})
	}
}

// TestAnswerIsWiped searches the application's whole memory for a random answer.
func TestAnswerIsWiped(t *testing.T) {
	for _, helper := range []string{"prompt", "prompt-allow", "prompt-exit"} {
		t.Run(helper, func(t *testing.T) {
			if got := (try{kit: plain(t), helper: helper, answers: []string{"@secret"}}).run(t).get("secret"); got != "wiped" {
				t.Errorf("the answer is %s", got)
			}
		})
	}
}

func TestMessagesKeepTheirOrderAndStyle(t *testing.T) {
	for name, c := range map[string]struct {
		options []string
		want    []string
	}{
		"all of them":                     {nil, []string{`info one\ntwo`, "error café", "shown "}},
		"only the prompt with PAM_SILENT": {[]string{"-x", "silent"}, []string{"shown "}},
	} {
		t.Run(name, func(t *testing.T) {
			o := try{kit: sanitized(t), helper: "talkative", answers: []string{"y"}, options: c.options}.run(t)
			o.expect(success)
			var got []string
			for line := range strings.Lines(o.out) {
				switch kind, _, _ := strings.Cut(line, " "); kind {
				case "info", "error", "shown", "hidden":
					got = append(got, strings.TrimSuffix(line, "\n"))
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// TestNothingIsAskedAfterAFailedConversation: the helper may ask again, but nobody is bothered, and the answer stays no.
func TestNothingIsAskedAfterAFailedConversation(t *testing.T) {
	o := try{kit: sanitized(t), helper: "prompt-twice", answers: []string{"@fail", "123456"}}.run(t)
	o.expect(authErr)
	if prompts := o.all("hidden"); !slices.Equal(prompts, []string{"Code: "}) {
		t.Errorf("prompts %q", prompts)
	}
	if noted := linesOf(o.seen, "no answer:"); !slices.Equal(noted, []string{"1", "1"}) {
		t.Errorf("the helper noted %q", o.seen)
	}
}

// TestUserThatChangesIsRefused: a conversation may set PAM_USER, and what was checked would be another's second factor.
func TestUserThatChangesIsRefused(t *testing.T) {
	o := try{kit: sanitized(t), helper: "prompt", answers: []string{"@user:root"}}.run(t)
	o.expect(authErr)
	o.expectLog("the user changed during the conversation")
	try{kit: sanitized(t), helper: "prompt", answers: []string{"@user:nobody"}}.run(t).expect(success)
}

func TestPatientHelperIsWaitedFor(t *testing.T) {
	t.Parallel()
	o := try{kit: plain(t), helper: "patient"}.run(t)
	o.expect(success)
}

func TestAsManyFramesAsThereMayBeAreAllowed(t *testing.T) {
	try{kit: sanitized(t), helper: "frames-most"}.run(t).expect(success)
}

func TestGroupLookup(t *testing.T) {
	answers := map[string]wire.Membership{
		"by-gid": wire.Member, "by-name": wire.Member, "big": wire.Member, "neither": wire.NotMember, "down": wire.LookupFailed,
		"endless": wire.LookupFailed, "nogroup": wire.Member, "root": wire.NotMember, "twokey-no-such-group": wire.NoSuchGroup,
	}
	for name, c := range map[string]struct {
		user, fault string
		change      map[string]wire.Membership
	}{
		"a known user": {"nobody", "none", nil},
		"a user who is not known is member of nothing": {"twokey-" + pamtest.Suffix(), "none", map[string]wire.Membership{
			"by-gid": wire.NotMember, "by-name": wire.NotMember, "big": wire.NotMember, "nogroup": wire.NotMember,
		}},
		"nothing is known when the user could not be looked up": {"nobody", "getpwnam", map[string]wire.Membership{
			"by-gid": wire.LookupFailed, "by-name": wire.LookupFailed, "big": wire.LookupFailed, "nogroup": wire.LookupFailed,
			"neither": wire.LookupFailed, "root": wire.LookupFailed, "twokey-no-such-group": wire.LookupFailed,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var names []string
			for group := range answers {
				names = append(names, group)
			}
			o := try{
				kit: sanitized(t), helper: "groups", user: c.user, options: []string{"-f", c.fault}, answers: append(names, ""),
			}.run(t)
			o.expect(success)
			for group, want := range answers {
				if other, ok := c.change[group]; ok {
					want = other
				}
				if got := o.noted("group " + group + ":"); got != string('0'+byte(want)) {
					t.Errorf("%s: %s, want %d", group, got, want)
				}
			}
		})
	}
}
