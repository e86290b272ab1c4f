package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"twokey/deliver/fakes"
	"twokey/enroll"
	"twokey/factor"
	"twokey/pamhook/logintest/scratch"
	"twokey/secrets"
)

// texting makes a host that sends text messages by a program, and the folder into which it puts them.
func texting(t *testing.T, settings string, names ...string) (*selfHost, scratch.Outbox) {
	t.Helper()
	all, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	outbox := scratch.NewOutbox(t, all.dir)
	return newSelfHost(t, outbox.SMS("")+"\n"+settings, names...), outbox
}

// texted is the newest message to a number, and the code in it.
func texted(t *testing.T, outbox scratch.Outbox, number string) (text, code string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		all := outbox.Texts()
		for i := len(all) - 1; i >= 0; i-- {
			if text, ours := strings.CutPrefix(all[i], number+"\n"); ours && text != "" {
				return text, sixDigits.FindString(text)
			}
		}
	}
	t.Fatalf("no message to %s: %q", number, outbox.Texts())
	return "", ""
}

// recordOf is what somebody has; nil: nothing.
func (h *selfHost) recordOf(name string) *secrets.Record {
	h.t.Helper()
	if !h.has(name) {
		return nil
	}
	record, err := h.Users.Secrets.Load(h.people[name].Name)
	if err != nil {
		h.t.Fatal(err)
	}
	return record
}

func TestAUserEnrolsAndChangesHisNumberOnlyWithThePhoneInHand(t *testing.T) {
	t.Parallel()
	const first, second = "+447400123456", "+4915123456789"
	h, outbox := texting(t, "", "alice", "bob")
	x := h.atTerminal("alice", "enroll", "--method", "sms", "--phone", first)
	answers(x, "Password: ", h.Password)
	x.Expect("Codes are sent to +44 7400 123456 (United Kingdom).")
	x.Expect("The code that was sent to +44 7400 123456: ")
	_, code := texted(t, outbox, first)
	if h.has("alice") {
		t.Error("enrolled before the code was typed")
	}
	x.Type(wrongFor(code) + "\n")
	x.Expect("that is not the code")
	answers(x, "The code that was sent to", code)
	x.Expect("Recovery codes of " + h.people["alice"].Name)
	if status := x.Wait(); status != exitDone {
		t.Fatalf("status %d:\n%s", status, x.Screen())
	}
	if r := h.recordOf("alice"); r == nil || r.Phone != first || !r.PhoneConfirmed || len(r.Devices) != 1 || r.Devices[0].Method != "sms" {
		t.Fatalf("%+v", r)
	}
	rec := h.lastOf("enroll")
	if rec.Target != h.people["alice"].Name || detail(rec, detailRole) != "self, by socket" {
		t.Errorf("recorded: %+v", rec)
	}

	// With a device of his own he changes the number: the new one is proven, the old one is told, also when that is the fourth text.
	u := h.people["alice"]
	if err := h.Users.TakeText(enroll.Account{Name: u.Name, UID: u.UID}, 100); err != nil {
		t.Fatal(err)
	}
	device := h.addApp("alice")
	x = h.atTerminal("alice", "device", "edit", "sms", "--phone", second)
	answers(x, "Password: ", h.Password, "ode", scratch.Code(t, device, 0))
	x.Expect("The code that was sent to +49 1512 3456789: ")
	if h.recordOf("alice").Phone != first {
		t.Error("changed before the code was typed")
	}
	_, code = texted(t, outbox, second)
	x.Type(code + "\n")
	x.Expect("codes go to +49 1512 3456789 (Germany), confirmed.")
	if status := x.Wait(); status != exitDone {
		t.Fatalf("status %d:\n%s", status, x.Screen())
	}
	if r := h.recordOf("alice"); r.Phone != second || !r.PhoneConfirmed {
		t.Errorf("%+v", r)
	}
	if notice, _ := texted(t, outbox, first); !strings.Contains(notice, "go to another number from now on") {
		t.Errorf("the old number was told %q", notice)
	}
	log, err := os.ReadFile(h.Log())
	if err != nil || (strings.Contains(string(log), first[1:]) || strings.Contains(string(log), second[1:])) {
		t.Error("a number stands in the audit log")
	}
	h.Verified()
}

// addApp gives somebody an app beside what he has, as root would.
func (h *selfHost) addApp(name string) *enroll.Draft {
	h.t.Helper()
	u := h.people[name]
	r := scratch.Request()
	r.Add, r.Recovery, r.Device = true, 0, "app"
	return h.Enrol(u.Name, u.UID, r)
}

// Whoever has the password alone must not spend the owner's money, nor have a number noted that nothing has proven.
func TestSelfServiceSendsNoMoreThanALoginAndNotesNoNumberUnproven(t *testing.T) {
	t.Parallel()
	h, outbox := texting(t, "", "alice")
	for range 3 {
		_, complaint, status := h.as("alice", h.Password+"\n000000\n000001\n000002\n", "enroll", "--method", "sms", "--phone", myNumber)
		if status != exitFailed || !strings.Contains(complaint, "no right code in 3 tries; nothing was changed") {
			t.Fatalf("status %d: %s", status, complaint)
		}
	}
	_, complaint, status := h.as("alice", h.Password+"\n", "enroll", "--method", "sms", "--phone", myNumber)
	if status != exitFailed || !strings.Contains(complaint, "too many messages to this user") || len(outbox.Texts()) != 3 {
		t.Errorf("status %d, %d messages: %s", status, len(outbox.Texts()), complaint)
	}
	_, complaint, status = h.as("alice", h.Password+"\n", "enroll", "--phone", myNumber)
	if status != exitNeedRoot || !strings.Contains(complaint, "--phone without --method sms needs root") {
		t.Errorf("a number alone: status %d: %s", status, complaint)
	}
	_, complaint, status = h.as("alice", h.Password+"\n", "enroll", "--method", "push")
	if status != exitFailed || !strings.Contains(complaint, "no provider of push is configured on this host") {
		t.Errorf("push: status %d: %s", status, complaint)
	}
	if h.has("alice") {
		t.Error("enrolled")
	}
	for _, argv := range [][]string{{"sms", "test", "--number", myNumber}, {"sms", "setup"}, {"sms", "status"}, {"push", "setup"}, {"push", "test", "alice~"}} {
		if _, complaint, status := h.as("alice", h.Password+"\n", argv...); status != exitNeedRoot {
			t.Errorf("%v: status %d: %s", argv, status, complaint)
		}
	}
}

func TestAUserEnrolsAPhoneThatAllowsARequest(t *testing.T) {
	t.Parallel()
	server := fakes.NewNtfy(t)
	server.GrantUsual(hostToken, phoneToken)
	h := newSelfHost(t, "", "alice")
	h.settings(h.Ntfy(server.URL(), hostToken, ""))
	for _, allow := range []bool{false, true} {
		x := h.atTerminal("alice", "enroll", "--method", "push")
		answers(x, "Password: ", h.Password)
		x.Expect("Enter sends a request to the phone: ")
		address := scanned(t, x.Screen())
		topic := address[strings.LastIndexByte(address, '/')+1:]
		topic, _, _ = strings.Cut(topic, "?")
		phone := server.NewPhone(t, phoneToken, topic)
		x.Type("\n")
		x.Expect("and no other number.")
		if h.has("alice") {
			t.Error("enrolled before the request was allowed")
		}
		m, err := phone.Message(soon(t))
		if err != nil {
			t.Fatal(err)
		}
		screen := x.Screen()
		right := screen[strings.LastIndex(screen, "press ")+len("press "):][:2]
		press := right
		if !allow {
			press = "Deny"
		}
		if err := phone.Press(soon(t), m, press); err != nil {
			t.Fatal(err)
		}
		if !allow {
			x.Expect("Denied on the phone. Nothing was changed.")
			if status := x.Wait(); status != exitFailed || h.has("alice") {
				t.Fatalf("denied: status %d:\n%s", status, x.Screen())
			}
			continue
		}
		x.Expect("Recovery codes of")
		if status := x.Wait(); status != exitDone {
			t.Fatalf("status %d:\n%s", status, x.Screen())
		}
		r := h.recordOf("alice")
		if r == nil || len(r.Devices) != 1 || r.Devices[0].Method != "push" || factor.NtfyTopic(r.Devices[0].Secret) != topic {
			t.Errorf("%+v", r)
		}
	}
}

// Attack: with the password of who has nothing yet, let the phone that he has with Duo ring until he allows it.
func TestSelfServiceAsksAPhoneOfDuosNoOftenerThanALoginSendsTexts(t *testing.T) {
	t.Parallel()
	server := fakes.NewDuo(t)
	h := newSelfHost(t, "", "alice")
	h.settings(fmt.Sprintf("push: {provider: duo, api_host: %q, url: %q, integration_key: %q, secret_key_file: %q}", fakes.DuoHost, server.URL(),
		fakes.DuoIntegrationKey, h.Credential("duo.key", fakes.DuoSecretKey)))
	server.User(h.people["alice"].Name, fakes.DuoUser{Policy: "auth", Capabilities: []string{"push"}})
	for range 3 {
		x := h.atTerminal("alice", "enroll", "--method", "push")
		answers(x, "Password: ", h.Password)
		x.Expect("Enter sends a request to the phone: ")
		x.Type("\n")
		x.Expect("allow it there.")
		q, err := server.Question(soon(t))
		if err != nil {
			t.Fatal(err)
		}
		server.Answer(q.TxID, "deny")
		x.Expect("Nothing was changed.")
		if status := x.Wait(); status != exitFailed {
			t.Fatalf("denied: status %d:\n%s", status, x.Screen())
		}
	}
	before := len(server.Requests())
	_, complaint, status := h.as("alice", h.Password+"\n\n", "enroll", "--method", "push")
	if status != exitFailed || !strings.Contains(complaint, "too many messages to this user") || len(server.Requests()) != before || h.has("alice") {
		t.Errorf("status %d: %s", status, complaint)
	}
}
