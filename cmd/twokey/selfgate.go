package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"twokey/audit"
	"twokey/device"
	"twokey/enroll"
	"twokey/enroll/qr"
	"twokey/policy"
	"twokey/state"
)

// actionSelf is the audit log's word for a proof over the socket.
const actionSelf = "self-service"

// codeTries is how often an enrolment code is asked for.
const codeTries = 3

// passGate stands before every command that comes over the socket: what is wished must be in the table, and who wishes it must prove that it
// is he. Only then has the ui's actor a role, without which nothing can be touched.
func passGate(c *cli.Context, ui *ui) error {
	name := nameOf(c)
	p, listed := permissions()[name]
	if !listed {
		return needRoot(or(name, c.App.Name), ui.typed)
	}
	if err := p.checkFlags(c, ui.typed); err != nil {
		return err
	}
	h, u, err := openUsersInForce(c, ui)
	if err != nil {
		return err
	}
	ui.contact = h.policy.Contact
	role, err := h.roleOf(p, c.Args().Slice(), c.StringSlice(group))
	if err != nil {
		return err
	}
	if role == noRole {
		return needRoot(name, ui.typed)
	}
	h.actor.role = role
	g := &gate{host: h, users: u, wish: name, permission: p, as: role, replace: c.Bool("replace")}
	if err := g.fits(c); err != nil {
		return err
	}
	if err := g.pass(); err != nil {
		return err
	}
	ui.peer.role, ui.peer.code, ui.peer.serial, ui.peer.enrolmentCode = role, g.byCode, g.serial, g.code
	return nil
}

// gate is what one wish has to pass.
type gate struct {
	*host
	permission
	users    *enroll.Users
	wish     string // the command
	as       role
	replace  bool // --replace
	enrolled bool

	// What has been shown.
	byCode bool
	serial uint64
	code   string // the enrolment code
}

// fits refuses a terminal on which no QR code would fit before a code is spent on it.
func (g *gate) fits(c *cli.Context) error {
	if g.wish != "enroll" && g.wish != "device add" {
		return nil
	}
	w, err := wishOf(c)
	if err != nil || w.outOfBand() {
		return err
	}
	e := &enrolment{host: g.host, wish: w, account: g.actor.account, users: g.users}
	e.recovery = 0
	request, err := e.request(g.policy, e.account.Name, nil)
	if err != nil {
		return err
	}
	if e.draft, err = g.users.Draft(e.who(), request); err != nil {
		return err
	}
	if e.code, err = qr.Encode(e.draft.URI); err != nil {
		return err
	}
	return e.checkWidth()
}

func (g *gate) pass() (err error) {
	him := g.actor.account.Name
	if g.enrolled, err = g.users.Secrets.Enrolled(him); err != nil {
		return err
	}
	if err := g.withoutDevice(); err != nil {
		return err
	}
	if err := g.prove(); err != nil {
		return err
	}
	// He may have got a device, or lost it, since the question was chosen.
	if g.enrolled, err = g.users.Secrets.Enrolled(him); err != nil {
		return err
	}
	if g.enrolled && !g.byCode {
		return g.unproven("no code was asked for: the stack in /etc/pam.d/" + selfService + " does not ask")
	}
	if err := g.withoutDevice(); err != nil {
		return err
	}
	if err := g.askCode(); err != nil {
		return err
	}
	if err := g.keepSerial(); err != nil {
		return err
	}
	return g.recordSelf(audit.Success, "", g.wish)
}

// keepSerial keeps which of his secrets he has shown a code of.
func (g *gate) keepSerial() error {
	if !g.byCode {
		return nil
	}
	st, err := g.users.State.Read(g.actor.account.Name)
	if err == nil {
		g.serial = st.Serial
	}
	return err
}

// withoutDevice refuses what needs a device, to somebody who has none.
//
// Attack: with a stolen password alone, somebody begins an enrolment with --replace, waits until the owner has enrolled, and then
// confirms it: so that is not begun.
func (g *gate) withoutDevice() error {
	him := g.actor.account.Name
	switch {
	case g.enrolled:
		return nil
	case g.as != bySelf:
		return failed("who acts as %s needs a second factor of his own first", g.as).hint("twokey enroll")
	case !g.bare, g.replace:
		return about(him, enroll.ErrNotEnrolled)
	case g.wish != "enroll":
		return nil
	}
	p, err := g.person(g.users, him)
	if err != nil {
		return err
	}
	if g.policy.AtLogin == policy.AtLoginNo || byAdministrator(p) {
		return failed("on this host nobody enrols by himself: ask %s", g.policy.Contact)
	}
	return nil
}

// byAdministrator reports whether a rule wants that the user is enrolled by an administrator, wherever he logs in.
func byAdministrator(p person) bool {
	found := p.outcome.EnrollByAdmin
	for _, s := range p.services {
		found = found || s.outcome.EnrollByAdmin
	}
	return found
}

// prove has PAM ask who it is, and finds out whether that was by a code too.
func (g *gate) prove() error {
	// Without the file libpam goes by "other", whatever that asks.
	exists, err := g.pamServiceExists(selfService)
	if err == nil && !exists {
		err = failed("/etc/pam.d/%s is not there, by which twokey asks who you are", selfService)
	}
	if err != nil {
		return err
	}
	him := g.actor.account
	g.warnOfBypass()
	begin := time.Now()
	result, pid, err := transaction{User: him.Name, Service: selfService, Caller: him.UID}.inAProcessOfItsOwn(g.ui, g.ui.aside)
	if err != nil {
		return err
	}
	if !result.OK {
		return g.unproven(result.Reason)
	}
	method, err := g.saw(pid, begin)
	if g.byCode = method != ""; method == device.Bypass && !g.reads {
		err = g.onlyLetsIn()
	}
	return err
}

// warnOfBypass keeps somebody from spending a bypass code where it does nothing. It says so whether or not he has one: nothing is proven yet.
//
// Attack: at a terminal that was left unlocked somebody finds out that the helpdesk has just given its owner a code.
func (g *gate) warnOfBypass() {
	if g.enrolled && !g.reads {
		g.ui.aside(fmt.Sprintf("%s needs a code of a device, or a recovery code: a bypass code does not do here", g.wish))
	}
}

// onlyLetsIn refuses a bypass code as the proof for a change.
//
// Attack: with a code that is good for one login and an hour somebody makes himself a device, or recovery codes, that stay.
func (g *gate) onlyLetsIn() error {
	refused := failed("a bypass code lets you in, and changes nothing: %s needs a code of a device, or a recovery code", g.wish).
		hint("if you have neither ask %s for a reset", g.policy.Contact)
	return errors.Join(refused, g.recordSelf(audit.Failure, "", g.wish+": a bypass code changes nothing"))
}

// unproven is that nothing showed that it is he.
func (g *gate) unproven(reason string) error {
	refused := (&advised{text: fmt.Sprintf("no proof that you are %s: %s", g.actor.account.Name, reason), status: exitNo}).
		hint("your password, and then, if you have a device, a code that you have not used yet")
	if err := g.recordSelf(audit.Failure, "", g.wish+": "+reason); err != nil {
		return errors.Join(refused, err)
	}
	return refused
}

// saw is the method of the code that the helper has found right in a transaction of this user that ran in the given process, which has
// ended; "": of none. PAM's word alone does not say it.
//
// Attack: a stack in which pam_twokey is missing, or is passed over, and a password alone changes devices.
func (g *gate) saw(pid int, begin time.Time) (method string, err error) {
	r, err := g.loginRecord(pid, begin)
	if err != nil || r == nil {
		return "", err
	}
	if r.Action == audit.ActionLogin && r.Outcome == audit.Success && r.Service == selfService && r.User == g.actor.account.Name {
		method = r.Method
	}
	return method, nil
}

// recordSelf writes of a proof, or of what somebody was refused who had proven who he is.
func (h *host) recordSelf(outcome audit.Outcome, target, reason string) error {
	rec := h.newRecord(actionSelf, target)
	rec.Outcome, rec.Reason = outcome, reason
	if err := audit.Append(h.path(h.policy.Paths.Audit), rec); err != nil {
		return fmt.Errorf("the audit log could not be written: %w", err)
	}
	return nil
}

// askCode asks who has no device, and would have to show an enrolment code at a login, for that code.
//
// Attack: between a reset, or the day from which he is required, and the next login whoever stole the password enrols his own phone, from a
// service that does not ask for a code: su on a host where sshd alone is wired.
func (g *gate) askCode() error {
	if g.enrolled || g.as != bySelf || g.wish != "enroll" || g.policy.AtLogin != policy.AtLoginWithCode {
		return nil
	}
	him := enroll.Account{Name: g.actor.account.Name, UID: g.actor.account.UID}
	p, err := g.person(g.users, him.Name)
	if err != nil || p.problem != nil || !p.mustEnroll() && !(p.required() && p.grace().IsZero()) {
		return errors.Join(err, about(him.Name, p.problem))
	}
	wrong := 0
	for range codeTries + emptyTries {
		answer, err := g.ui.ask("Enrolment code: ", true)
		if err != nil {
			return err
		}
		err = g.users.CheckCode(him, answer)
		if err == nil {
			g.code = answer
			return nil
		}
		if !errors.Is(err, enroll.ErrCodeWrong) {
			return g.noCode(err)
		}
		if strings.TrimSpace(answer) == "" {
			continue // no guess, and no try
		}
		g.ui.warn("%s", enroll.ErrCodeWrong)
		if wrong++; wrong == codeTries {
			break
		}
	}
	return g.unproven(enroll.ErrCodeWrong.Error())
}

// noCode is that there is no code which could be right.
func (g *gate) noCode(err error) error {
	if !errors.Is(err, enroll.ErrNoCode) && !errors.Is(err, enroll.ErrCodeEnded) {
		return err
	}
	return errors.Join(failed("%v: ask %s for one", err, g.policy.Contact), g.recordSelf(audit.Failure, "", g.wish+": "+err.Error()))
}

// stillHim is asked under the lock when something of his is changed: what he has shown must be good still. He may have sat at a question
// since, while an administrator took his device away.
//
// Attack: whoever has stolen phone and password lets "twokey enroll --replace" wait until the user was reset, and confirms then.
func (h *host) stillHim(u *enroll.Users, tx *state.Tx) error {
	him := h.actor
	switch {
	case tx.User != him.account.Name:
		return h.mayTouch(tx.User, nil)
	case him.code && (tx.Serial != him.serial || tx.MustEnroll), !him.code && len(tx.Devices) > 0:
		return failed("your devices were changed meanwhile: nothing was changed now").hint("twokey show")
	case !him.code && (tx.MustEnroll && h.policy.AtLogin != policy.AtLoginYes || him.enrolmentCode != ""):
		return u.CheckCode(enroll.Account{Name: him.account.Name, UID: him.account.UID}, him.enrolmentCode)
	}
	return nil
}
