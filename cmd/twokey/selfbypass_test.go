package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"twokey/audit"
	"twokey/enroll"
)

// A bypass code is good for a time and some logins: whoever could make himself a device by it would have one for ever.
func TestMustChangeNothingForABypassCode(t *testing.T) {
	t.Parallel()
	h := newSelfHost(t, "contact: the IT desk\nroles: {helpdesk: {users: [helen~]}, auditor: {users: [adam~]}}\nbypass: {requesters: {users: [bob~]}}",
		"alice", "helen", "adam", "bob")
	for name := range h.people {
		h.enrol(name)
	}
	looks := []string{"device list", "recovery show", "show", "list", "bypass list", "audit tail", "audit verify"}
	cases := []struct{ who, command, rest string }{
		{"alice", "device list", ""}, {"alice", "recovery show", ""}, {"alice", "show", ""},
		{"alice", "enroll", "--replace --yes --confirm"}, {"alice", "device add", "--device second"}, {"alice", "device edit", "phone --phone +442079460958"},
		{"alice", "device remove", "phone --yes"}, {"alice", "device rename", "phone mine"}, {"alice", "recovery new", "--yes"},
		{"helen", "list", ""}, {"helen", "show", "bob~"}, {"helen", "bypass list", "bob~"}, {"helen", "unlock", "bob~"}, {"helen", "reset", "bob~ --yes"},
		{"helen", "bypass create", "bob~ --reason x --requested-by bob~"}, {"helen", "bypass revoke", "bob~"},
		{"adam", "audit tail", ""}, {"adam", "audit verify", ""},
	}
	tried := map[string]bool{}
	for _, c := range cases {
		tried[c.command] = true
		him := h.people[c.who].Name
		_, code, err := h.Users.NewBypass(him, enroll.Bypass{Until: time.Now().Add(time.Hour), Uses: 1, Reason: "phone at home", Requester: "carol", By: "root"})
		if err != nil {
			t.Fatal(err)
		}
		_, complaint, status := h.as(c.who, h.Password+"\n"+code+"\n", append(strings.Fields(c.command), strings.Fields(c.rest)...)...)
		refused := "twokey: error: a bypass code lets you in, and changes nothing: " + c.command + " needs a code of a device, or a recovery code\n" +
			"twokey: hint: if you have neither ask the IT desk for a reset\n"
		warned := c.command + " needs a code of a device, or a recovery code: a bypass code does not do here\n"
		if slices.Contains(looks, c.command) {
			if status != exitDone || strings.Contains(complaint, "bypass") {
				t.Errorf("%s: status %d, %s", c.command, status, complaint)
			}
			continue
		}
		if status != exitFailed || !strings.HasPrefix(complaint, warned) || !strings.HasSuffix(complaint, refused) {
			t.Errorf("%s: status %d, %s", c.command, status, complaint)
		}
		if r := h.lastOf(actionSelf); r.Outcome != audit.Failure || r.Reason != c.command+": a bypass code changes nothing" || r.User != him {
			t.Errorf("%s is recorded as %+v", c.command, r)
		}
	}
	if len(tried) != len(permissions()) {
		t.Errorf("%d commands were tried of %d", len(tried), len(permissions()))
	}
	for name, u := range h.people {
		record, err := h.Users.Secrets.Load(u.Name)
		if err != nil || len(record.Devices) != 1 || record.Devices[0].ID != h.devices[name].Device.ID || record.Devices[0].Name != "phone" || len(record.Recovery.Hashes) != 2 {
			t.Errorf("%s was changed: %v, %v", name, record, err)
		}
	}
}

// Whoever sits at a terminal that was left unlocked, or has stolen a session, is told nothing of the codes that are open for its owner.
func TestMustTellNothingOfABypassCodeBeforeAProof(t *testing.T) {
	t.Parallel()
	h := newSelfHost(t, "", "alice")
	h.enrol("alice")
	for _, argv := range [][]string{{"device", "rename", "phone", "mine"}, {"show"}} {
		without := h.raw("alice", h.request(argv...)+`{"kind":"none","text":""}`+"\n")
		bypass, _, err := h.Users.NewBypass(h.people["alice"].Name, enroll.Bypass{Until: time.Now().Add(time.Hour), Uses: 1, Reason: "x", Requester: "carol", By: "root"})
		if err != nil {
			t.Fatal(err)
		}
		if with := h.raw("alice", h.request(argv...)+`{"kind":"none","text":""}`+"\n"); with != without || !strings.Contains(with, "Password: ") {
			t.Errorf("%q: with a code\n%s\nwithout\n%s", argv, with, without)
		}
		if _, err := h.Users.RevokeBypass(h.people["alice"].Name, bypass.ID); err != nil {
			t.Fatal(err)
		}
	}
}
