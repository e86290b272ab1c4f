package main

import (
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"twokey/audit"
	"twokey/device"
	"twokey/enroll"
	"twokey/internal/safefile"
	"twokey/internal/slotfile"
	"twokey/policy"
	"twokey/secrets"
)

// advisedErrors have a hint for root, each by another line of errors.go.
func advisedErrors() []error {
	all := []error{notSetUp(fs.ErrNotExist), &fs.PathError{Op: "open", Path: "/etc/twokey/host.key", Err: safefile.ErrOwner},
		&fs.PathError{Op: "open", Path: "/etc/twokey/host.key", Err: safefile.ErrLinks}, &policy.Error{Line: 1, Msg: "unknown key"}}
	for _, err := range []error{enroll.ErrEnrolled, enroll.ErrNotEnrolled, enroll.ErrOtherUID, enroll.ErrNoState, device.ErrRestored,
		enroll.ErrLastDevice, enroll.ErrNoDevice, enroll.ErrDeviceName, enroll.ErrManyDevices, errNoBypassWithoutDevice, enroll.ErrNoBypass,
		enroll.ErrManyBypasses, secrets.ErrWrongKey, secrets.ErrCorrupt, secrets.ErrSigner, secrets.ErrVersion, secrets.ErrHostKey,
		unix.ENOSPC, unix.EROFS, slotfile.ErrTimeout, audit.ErrHead, policy.ErrByHand} {
		all = append(all, about("gina", err))
	}
	return all
}

var namedCommand = regexp.MustCompile(`\btwokey ([a-z]+)(?: ([a-z]+))?`)

// A hint that says what only root can do sends people to a refusal.
func TestHintsNameOnlyWhatTheReaderMayRun(t *testing.T) {
	for _, as := range []role{noRole, bySelf, byHelpdesk, byAuditor} {
		u := &ui{peer: &actor{role: as, socket: true}, contact: "the IT desk"}
		who := as
		if who == noRole {
			who = bySelf
		}
		for _, err := range advisedErrors() {
			if hintFor(err) == "" {
				t.Errorf("%v: no hint for root", err)
			}
			hint := u.hintFor(err)
			if hint == "" {
				t.Errorf("%v: no hint for %q", err, as)
			}
			for _, named := range namedCommand.FindAllStringSubmatch(hint, -1) {
				p, listed := permissions()[strings.TrimSpace(named[1]+" "+named[2])]
				if !listed {
					p = permissions()[named[1]]
				}
				if !slices.Contains(p.roles, who) {
					t.Errorf("%v: the hint for %q is %q", err, as, hint)
				}
			}
			if who == bySelf && strings.Contains(hint, "gina") {
				t.Errorf("%v: whoever acts for himself is told to name himself: %q", err, hint)
			}
		}
	}
}

func TestTheHintForEachReader(t *testing.T) {
	for _, c := range []struct {
		as   role
		err  error
		want string
	}{
		{byRoot, enroll.ErrNotEnrolled, "twokey enroll gina"},
		{bySelf, enroll.ErrNotEnrolled, "twokey enroll"},
		{noRole, enroll.ErrNotEnrolled, "twokey enroll"},
		{byHelpdesk, enroll.ErrNotEnrolled, "ask root"},
		{bySelf, enroll.ErrEnrolled, "twokey device add puts a new one beside it; twokey enroll --replace in its place"},
		{bySelf, enroll.ErrLastDevice, "first a new one: twokey device add"},
		{bySelf, enroll.ErrNoDevice, "twokey device list"},
		{bySelf, enroll.ErrOtherUID, "ask the IT desk"},
		{byHelpdesk, enroll.ErrNoBypass, "twokey bypass list gina"},
		{byHelpdesk, errNoBypassWithoutDevice, "ask root"},
		{byAuditor, audit.ErrHead, "twokey audit verify says what is wrong with the log"},
		{bySelf, audit.ErrHead, "ask the IT desk"},
		{bySelf, slotfile.ErrTimeout, "somebody else is at work on the same user: try again"},
	} {
		u := &ui{peer: &actor{role: c.as, socket: c.as != byRoot}, contact: "the IT desk"}
		if got := u.hintFor(about("gina", c.err)); got != c.want {
			t.Errorf("%q, %v: %q, want %q", c.as, c.err, got, c.want)
		}
	}
	u := &ui{peer: &actor{}} // has started us himself, and is not root
	if got := u.hintFor(notSetUp(fs.ErrNotExist)); got != "as root: twokey init" {
		t.Error(got)
	}
	if got := fmt.Sprint((&ui{peer: &actor{role: bySelf, socket: true}}).hintFor(notSetUp(fs.ErrNotExist))); got != "ask an administrator" {
		t.Error(got)
	}
}
