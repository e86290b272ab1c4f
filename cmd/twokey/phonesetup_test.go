package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"twokey/deliver/fakes"
	"twokey/policy"
)

// Attack, and a fault: whoever is told of a change of his number that nobody has made, at the owner's cost, believes no other notice.
func TestTheFormerNumberIsToldOfAnotherNumberAndOfNothingElse(t *testing.T) {
	t.Parallel()
	h, _ := ntfyHost(t)
	server := fakes.NewTwilio(t)
	h.run(exitDone, "", twilioFlags(server, h.file("token", fakes.TwilioToken))...)
	h.run(exitDone, "", "enroll", "nobody", "--method", "sms", "--phone", myNumber)
	h.run(exitDone, "", "device", "add", "nobody", "--method", "push", "--qr", "none")
	if sent := server.Sent(); len(sent) != 0 {
		t.Errorf("a phone for push has caused %+v", sent)
	}
	h.run(exitDone, "", "device", "edit", "nobody", "sms", "--phone", "+447400123457")
	if sent := server.Sent(); len(sent) != 1 || sent[0].To != myNumber || !strings.Contains(sent[0].Body, "go to another number from now on") {
		t.Errorf("another number has caused %+v", sent)
	}
}

func TestCredentialsAreStoredAllOrNone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	host := &host{root: dir, policy: &policy.Config{Paths: policy.Paths{Credentials: "/credentials"}}}
	if _, err := host.store([]credential{{"first", "former"}}); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "credentials/third"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := host.store([]credential{{"first", "other"}, {"second", "new"}, {"third", "word"}}); err == nil {
		t.Fatal("a folder was overwritten")
	}
	if got := string(host.stored("first")); got != "former\n" || host.stored("second") != nil {
		t.Errorf("the first file has %q, the second %q", got, host.stored("second"))
	}
}

func TestWhoHasNoPhoneHereIsToldHowToGiveHimOne(t *testing.T) {
	t.Parallel()
	h, _ := ntfyHost(t)
	server := fakes.NewTwilio(t)
	h.run(exitDone, "", twilioFlags(server, h.file("token", fakes.TwilioToken))...)
	for method, argv := range map[string][]string{"sms": {"sms", "test", "nobody"}, "push": {"push", "test", "nobody"}} {
		if _, complaint := h.run(exitFailed, "", argv...); !strings.Contains(complaint, "hint: twokey enroll nobody --method "+method) {
			t.Errorf("%s: %s", method, complaint)
		}
	}
}

// Without the token of their own phones would need that everybody may write: at a terminal it is asked for.
func TestPushIsSetUpAtATerminalWithATokenForAnswers(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{answerToken, ""} {
		h, server := newPhoneHost(t), fakes.NewNtfy(t)
		server.Grant("twokey", hostToken, "tk-*", fakes.ReadWrite)
		if answer == "" {
			server.GrantUsual(hostToken, phoneToken)
		} else {
			server.Grant("twokey-answers", answerToken, "tk-rsp-*", fakes.WriteOnly)
		}
		x := h.terminal("push", "setup")
		answers(x, "[ntfy]: ", "", "Address of the ntfy server", server.URL())
		x.Expect("ntfy access twokey-answers 'tk-rsp-*' write-only")
		answers(x, "of the account twokey (is not shown): ", hostToken, "twokey-answers (is not shown", answer)
		if answer == "" {
			x.Expect("ntfy access everyone 'tk-rsp-*' write-only")
		}
		answers(x, "[y/N]", "y")
		x.Expect("Push works: ")
		if status := x.Wait(); status != exitDone {
			t.Fatalf("status %d:\n%s", status, x.Screen())
		}
		h.clean(x.Screen(), hostToken, answerToken)
		if named := strings.Contains(h.read("etc/twokey/twokey.yaml"), "answer_token_file: ntfy-answer-token"); named != (answer != "") {
			t.Errorf("%q: the configuration names a token for answers: %v", answer, named)
		}
		if answer != "" {
			h.credential("ntfy-answer-token", answerToken)
		}
	}
}

const answerToken = "tk_answeransweransweransweransw03"
