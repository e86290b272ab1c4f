package moduletest

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"twokey/internal/pamtest"
	"twokey/pamhook/wire"
)

// authtokModule builds the module that tells which password it finds, and gives one to those behind it.
func authtokModule(t *testing.T) string {
	t.Helper()
	path := filepath.Join(kitDir, "authtok.so")
	if _, err := os.Stat(path); err != nil {
		compile(t, path, "authtok_module.c", "-shared", "-fPIC", "-lpam")
	}
	return path
}

// tell returns a stack that goes on after ours, whatever it said, and tells which password is there. The result of an IGNORE is
// that of pam_permit.
func tell(t *testing.T) func(line string) []string {
	module := authtokModule(t)
	return func(line string) []string {
		return []string{
			"auth required " + line, "auth optional " + module, "auth required pam_permit.so",
			"account required " + line, "session required " + line,
		}
	}
}

// TestPasswordReachesTheHelper: what was typed into the only field is judged like an answer, and stays for the modules behind us.
func TestPasswordReachesTheHelper(t *testing.T) {
	t.Parallel()
	longest := strings.Repeat("7", wire.MaxAnswer)
	for name, c := range map[string]struct{ typed, want, behind string }{
		"a password and a code":         {"hunter2123456", "answer: hunter2123456", "found hunter2123456"},
		"nothing but the return key":    {"", "answer: ", "found "},
		"UTF-8":                         {"grün123456", "answer: grün123456", "found grün123456"},
		"bytes that are not UTF-8":      {"\xff\xfe\x80", "answer: \xff\xfe\x80", "found \xff\xfe\x80"},
		"a percent sign":                {"%s%n123456", "answer: %s%n123456", "found %s%n123456"},
		"the longest password":          {longest, "answer: " + longest, "found " + longest},
		"a password that is too long":   {"@long", "no answer: 4", "found " + strings.Repeat("1", 1025)},
		"a response without text":       {"@null", "no answer: 1", "there is none"},
		"a conversation that fails":     {"@fail", "no answer: 1", "there is none"},
		"one after the end of all":      {"@late:120", "no answer: 1", "found 123456"},
		"sshd's junk":                   {junk, "no answer: 3", "found " + strings.ReplaceAll(junk, "\n", `\n`)},
		"almost sshd's junk, last byte": {junk[:12] + "t", "answer: " + junk[:12] + "t", "found " + strings.ReplaceAll(junk[:12], "\n", `\n`) + "t"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, k := range []kit{plain(t), sanitized(t)} {
				o := try{kit: k, helper: "authtok-allow", stack: tell(t), answers: []string{c.typed}}.run(t)
				if !strings.Contains(o.seen, c.want+"\n") {
					t.Errorf("the helper saw %.200q, want %.200q", o.seen, c.want)
				}
				if hopeless := c.want == "no answer: 1"; (o.get("auth") == authErr) != hopeless {
					t.Errorf("authenticate: %s", o.get("auth"))
				}
				if got := o.get("info"); got != c.behind {
					t.Errorf("the module behind: %.200q, want %.200q", got, c.behind)
				}
			}
		})
	}
}

// TestPasswordIsAskedWithTheHelpersWords: not with libpam's.
func TestPasswordIsAskedWithTheHelpersWords(t *testing.T) {
	for helper, want := range map[string]string{"authtok-allow": "Password: ", "authtok-no-text": ""} {
		o := try{kit: sanitized(t), helper: helper, answers: []string{"hunter2"}}.run(t)
		o.expect(success)
		if got := o.all("hidden"); !slices.Equal(got, []string{want}) {
			t.Errorf("prompts %q, want %q", got, want)
		}
	}
}

// TestPasswordOfAModuleBeforeUsIsTaken, and nobody is asked again.
func TestPasswordOfAModuleBeforeUsIsTaken(t *testing.T) {
	for name, c := range map[string]struct{ given, code, noted, behind string }{
		"a password and a code": {"hunter2123456", success, "answer: hunter2123456", "found hunter2"},
		"a wrong code":          {"hunter2123457", authErr, "answer: hunter2123457", "found hunter2123457"},
		"a code alone":          {"123456", authErr, "answer: 123456", "found 123456"},
		"sshd's junk":           {"\b", authErr, "no answer: 3", "found \b"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, k := range []kit{plain(t), sanitized(t)} {
				before := []string{"auth required " + authtokModule(t) + " give=" + c.given}
				o := try{kit: k, helper: "authtok", before: before, stack: tell(t)}.run(t)
				o.expect(c.code)
				if !strings.Contains(o.seen, c.noted+"\n") || o.get("info") != c.behind || len(o.all("hidden")) != 0 {
					t.Errorf("the helper saw %q, behind us %q, prompts %q", o.seen, o.get("info"), o.all("hidden"))
				}
			}
		})
	}
}

// TestCodeIsCutOnlyToSucceed: whatever else happens, the modules behind us find what they would have found without ours.
func TestCodeIsCutOnlyToSucceed(t *testing.T) {
	const typed, doubled = "hunter2123456", "hunter2123456hunter2123456"
	for name, c := range map[string]struct {
		helper, args string
		answers      []string
		options      []string
		code, behind string
	}{
		"ALLOW":                                {"cut-allow", "", []string{typed}, nil, success, "found hunter2"},
		"ALLOW, the account phase asks":        {"cut-account", "", []string{typed}, nil, success, "found hunter2"},
		"ALLOW, another answer in between":     {"cut-prompt", "", []string{typed, "1"}, nil, success, "found hunter2"},
		"ALLOW, one byte is left":              {"cut-allow", "", []string{"h123456"}, nil, success, "found h"},
		"ALLOW without a cut":                  {"authtok-allow", "", []string{typed}, nil, success, "found " + typed},
		"DENY":                                 {"cut-deny", "", []string{typed}, nil, authErr, "found " + typed},
		"DENY without a cut":                   {"authtok-deny", "", []string{typed}, nil, authErr, "found " + typed},
		"IGNORE":                               {"cut-ignore", "", []string{typed}, nil, success, "found " + typed},
		"IGNORE without a cut":                 {"authtok-ignore", "", []string{typed}, nil, success, "found " + typed},
		"ALLOW on a decoy line":                {"cut-allow", "decoy", []string{typed}, nil, authErr, "found " + typed},
		"ALLOW and status 1":                   {"cut-exit-1", "", []string{typed}, nil, authErr, "found " + typed},
		"no verdict":                           {"cut-no-verdict", "", []string{typed}, nil, authErr, "found " + typed},
		"a broken protocol":                    {"cut-twice", "", []string{typed}, nil, authErr, "found " + typed},
		"ALLOW, and the conversation failed":   {"cut-prompt", "", []string{typed, "@fail"}, nil, authErr, "found " + typed},
		"ALLOW, and the user changed":          {"cut-prompt", "", []string{typed, "@user:root"}, nil, authErr, "found " + typed},
		"ALLOW, the password became another":   {"cut-prompt", "", []string{typed, "@authtok:hunter3123456"}, nil, authErr, "found hunter3123456"},
		"ALLOW, the password became longer":    {"cut-prompt", "", []string{typed, "@authtok:" + typed + "7"}, nil, authErr, "found " + typed + "7"},
		"ALLOW, the password became shorter":   {"cut-prompt", "", []string{typed, "@authtok:hunter"}, nil, authErr, "found hunter"},
		"ALLOW, the password was doubled":      {"cut-prompt", "", []string{typed, "@authtok:" + doubled}, nil, authErr, "found " + doubled},
		"ALLOW, the password became empty":     {"cut-prompt", "", []string{typed, "@authtok:"}, nil, authErr, "found "},
		"ALLOW, and the rest cannot be set":    {"cut-allow", "", []string{typed}, []string{"-f", "pam_set_item"}, authErr, "found " + typed},
		"ALLOW, the account phase cannot be":   {"cut-account", "", []string{typed}, []string{"-f", "pam_set_data"}, authErr, "found " + typed},
		"ALLOW of the password without change": {"cut-prompt", "", []string{typed, "@authtok:" + typed}, nil, success, "found hunter2"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, k := range []kit{plain(t), sanitized(t)} {
				o := try{kit: k, helper: c.helper, args: c.args, stack: tell(t), answers: c.answers, options: c.options}.run(t)
				o.expect(c.code)
				if got := o.get("info"); got != c.behind {
					t.Errorf("the module behind: %q, want %q", got, c.behind)
				}
			}
		})
	}
}

func TestPasswordThatCannotBeCutIsLogged(t *testing.T) {
	for fault, want := range map[string]string{
		"none": "the password changed during the conversation", "pam_set_item": "the password could not be cut",
	} {
		o := try{
			kit: sanitized(t), helper: "cut-prompt", answers: []string{"hunter2123456", "@authtok:hunter3123456"}, options: []string{"-f", fault},
		}.run(t)
		o.expect(authErr)
		o.expectLog(want)
	}
}

// TestPasswordIsNoAnswerEither: what was given to GET_AUTHTOK is not given to a prompt again.
func TestPasswordIsNoAnswerEither(t *testing.T) {
	o := try{kit: sanitized(t), helper: "authtok-prompt", answers: []string{"hunter2", "hunter2"}}.run(t)
	if noted := linesOf(o.seen, "no answer:"); !slices.Equal(noted, []string{"2"}) || !strings.Contains(o.seen, "answer: hunter2\n") {
		t.Errorf("the helper noted %q", o.seen)
	}
	o = try{kit: sanitized(t), helper: "prompt-authtok", answers: []string{"hunter2", "hunter2"}}.run(t)
	if noted := linesOf(o.seen, "answer:"); !slices.Equal(noted, []string{"hunter2", "hunter2"}) {
		t.Errorf("the helper noted %q", o.seen)
	}
}

// TestPasswordIsAskedInAuthenticateOnly: later there is none, and the person would be asked for no reason.
func TestPasswordIsAskedInAuthenticateOnly(t *testing.T) {
	for _, k := range []kit{plain(t), sanitized(t)} {
		o := try{kit: k, helper: "authtok-later", phases: "auth,acct,open", answers: []string{"hunter2", "hunter2"}}.run(t)
		if o.expect(success); o.get("acct") != permDenied || o.get("open") != sessionErr || len(o.all("hidden")) != 0 {
			t.Errorf("%s", o.out)
		}
		o.expectLog("broke the protocol")
	}
}

// TestPasswordIsWiped searches the application's whole memory for a random password and code when libpam has forgotten them: for their
// last 32 bytes, of which all are cut off by cut-40.
func TestPasswordIsWiped(t *testing.T) {
	for _, helper := range []string{"authtok-allow", "authtok-deny", "authtok-ignore", "cut-40", "cut-deny", "cut-twice", "cut-exit-1"} {
		t.Run(helper, func(t *testing.T) {
			o := try{kit: plain(t), helper: helper, answers: []string{"@secret"}, options: []string{"-f", "search-late"}}.run(t)
			if got := o.get("secret"); got != "wiped" {
				t.Errorf("the password is %s", got)
			}
		})
	}
}

// TestClientThatLeavesDuringThePassword: the helper is told, as it is during a prompt.
func TestClientThatLeavesDuringThePassword(t *testing.T) {
	c := connect(t, "tcp4", "127.0.0.1")
	r := waiting(t, c, "authtok-allow")
	r.asks()
	if err := c.client.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(c.server).ReadByte(); err != io.EOF {
		t.Fatal(err)
	}
	r.closeStdin()
	o := r.wait()
	o.expect(authErr)
	if !strings.Contains(o.seen, "no answer: 5\n") {
		t.Errorf("the helper saw %q", o.seen)
	}
}

// TestOneFieldBeforePamUnix is the stack of a service with one field, with an account and its password in /etc/shadow.
func TestOneFieldBeforePamUnix(t *testing.T) {
	t.Parallel()
	name, _ := pamtest.TempUser(t)
	longest := strings.Repeat("x", 511) // crypt(3) of libxcrypt takes no more (CRYPT_MAX_PASSPHRASE_SIZE)
	for _, password := range []string{"hunter2", "grün €€ 🔑", "654321", "%s%n%", longest} {
		chpasswd := exec.Command("chpasswd")
		chpasswd.Stdin = strings.NewReader(name + ":" + password + "\n")
		if out, err := chpasswd.CombinedOutput(); err != nil {
			t.Fatalf("chpasswd: %v\n%s", err, out)
		}
		for what, c := range map[string]struct{ helper, typed, code string }{
			"right":                              {"authtok", password + "123456", success},
			"a wrong code":                       {"authtok", password + "123457", authErr},
			"a wrong password":                   {"authtok", "x" + password + "123456", authErr},
			"the password alone":                 {"authtok", password, authErr},
			"the code alone":                     {"authtok", "123456", authErr},
			"the code first":                     {"authtok", "123456" + password, authErr},
			"the code twice":                     {"authtok", password + "123456123456", authErr},
			"nothing is cut, with the code":      {"authtok-allow", password + "123456", authErr},
			"not subject, the password alone":    {"authtok-ignore", password, success},
			"not subject, and the code was cut":  {"cut-ignore", password + "123456", authErr},
			"refused, with the password alone":   {"authtok-deny", password, authErr},
			"let in, with a password of its own": {"authtok-allow", password, success},
		} {
			for _, option := range []string{"use_first_pass", "try_first_pass"} {
				t.Run(password[:5]+"/"+what+"/"+option, func(t *testing.T) {
					o := try{kit: plain(t), helper: c.helper, user: name, answers: []string{c.typed}, stack: func(line string) []string {
						return []string{"auth required " + line, "auth required pam_unix.so nodelay " + option}
					}}.run(t)
					o.expect(c.code)
				})
			}
		}
	}
}
