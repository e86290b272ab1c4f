package main

import (
	"errors"
	"fmt"

	"twokey/audit"
	"twokey/enroll"
	"twokey/internal/slotfile"
	"twokey/state"
)

// hintFor chooses the next step for whoever reads it, by commands that he may run himself; what is left for root he has to ask for.
func (u *ui) hintFor(err error) string {
	who, advice := u.actor(), hintFor(err)
	if who.isRoot() || advice == "" {
		return advice
	}
	var a *advised
	own := errors.As(err, &a) && a.advice != ""
	switch {
	case own && !a.forRoot:
		return advice
	case !who.socket:
		return asRootToo(advice, own)
	}
	return or(who.hintFor(err), "ask "+who.whomToAsk(u.contact))
}

// asRootToo marks a step that whoever has started us cannot do as who he is.
func asRootToo(advice string, forRoot bool) string {
	if forRoot {
		return "as root: " + advice
	}
	return advice
}

// whomToAsk is who can do what is root's.
func (a actor) whomToAsk(contact string) string {
	if a.role == byHelpdesk || a.role == byAuditor {
		return "root" // they may be the contact themselves
	}
	return or(contact, "an administrator")
}

// hintFor chooses the next step by the commands that roles.go lists for somebody at the other end of the socket; "" when it is not his to
// do. Before he has proven who he is he has no role, and is advised as about himself.
func (a actor) hintFor(err error) string {
	if errors.Is(err, slotfile.ErrTimeout) {
		return hintForSystem(err, "")
	}
	switch a.role {
	case byHelpdesk:
		return hintForHelpdesk(err)
	case byAuditor:
		return hintForAuditor(err)
	}
	return hintForSelf(err)
}

func hintForSelf(err error) string {
	switch {
	case errors.Is(err, enroll.ErrEnrolled):
		return "twokey device add puts a new one beside it; twokey enroll --replace in its place"
	case errors.Is(err, enroll.ErrNotEnrolled):
		return "twokey enroll"
	case errors.Is(err, enroll.ErrLastDevice):
		return "first a new one: twokey device add"
	case errors.Is(err, enroll.ErrNoDevice), errors.Is(err, enroll.ErrDeviceName), errors.Is(err, enroll.ErrManyDevices):
		return "twokey device list"
	case errors.Is(err, enroll.ErrSamePhone):
		return "another number: twokey device edit sms --phone +447400123456; another phone for push: twokey device remove push first"
	case errors.As(err, new(*state.LimitError)):
		return "wait until then"
	}
	return ""
}

func hintForHelpdesk(err error) string {
	var who *aboutUser
	if !errors.As(err, &who) {
		return ""
	}
	switch {
	case errors.Is(err, enroll.ErrNoBypass), errors.Is(err, enroll.ErrManyBypasses):
		return fmt.Sprintf("twokey bypass list %s", who.user)
	}
	return ""
}

func hintForAuditor(err error) string {
	if errors.Is(err, audit.ErrHead) {
		return hintForSystem(err, "")
	}
	return ""
}

// forRoot is the text for root, or the one for everybody else.
func forRoot(who actor, root, others string) string {
	if who.isRoot() {
		return root
	}
	return others
}
