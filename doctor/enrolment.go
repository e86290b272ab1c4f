package doctor

import (
	"errors"
	"fmt"
	"slices"

	"twokey/internal/safefile"
	"twokey/policy"
	"twokey/secrets"
)

// enrolsHere reports whether somebody has to enrol in a login at the service. Who cannot enrol there is refused with the account line too.
func (c *check) enrolsHere(p Person) bool { return c.Policy.Decide(p.Facts(c.s.Name, c.From)).Enroll }

// learnt reports whether a login was found that had to go on to its account phase and did not.
func (c *check) learnt() bool {
	return c.canEnrol(c.s.Name) && slices.ContainsFunc(c.Lacking, func(l Lacking) bool { return l.Service == c.s.Name })
}

// canEnrol reports whether the policy lets somebody enrol at the logins of a service.
func (e *examination) canEnrol(service string) bool {
	return (e.Policy.AtLogin == policy.AtLoginWithCode || e.Policy.AtLogin == policy.AtLoginYes) && e.Policy.CanEnroll(service)
}

// mended: a service that had no account line and has one now. Should its program never ask PAM about the account, a login finds that
// out again.
func (e *examination) mended() {
	for _, l := range e.Lacking {
		if row := e.rowOf(l.Service); row != nil && row.Account == WiredYes {
			e.again = append(e.again, l.Service)
			e.add(Finding{Severity: Info, ID: "account-mended", About: l.Service,
				Message: fmt.Sprintf("%s: on %s a login did not come to its account line; there is one, so that logins enrol there again",
					l.Service, l.Since.Format("2006-01-02 15:04")),
				Fix: fmt.Sprintf("should this come again, the program never asks PAM about accounts: services: {%s: {enroll: false}}", l.Service)})
		}
	}
}

// byPassword: where a login needs no enrolment code, a stolen password is enough for a device.
func (e *examination) byPassword() {
	row := e.rowOf(sshdService)
	if e.Policy.AtLogin != policy.AtLoginYes || !e.Policy.CanEnroll(sshdService) || row == nil || row.Account == WiredNo {
		return
	}
	e.add(Finding{Severity: Warning, ID: "enrol-by-password", About: sshdService, Fix: command("twokey config set enroll.at_login with-code"),
		Message: "sshd: whoever has the password of a required user without a device links a phone of his own over the network (at_login: yes)"})
}

// people: what is wrong with what one user has.
func (e *examination) people() {
	for _, signer := range e.Policy.Provisioners {
		if _, err := secrets.ParseSigner(signer); err != nil {
			e.add(Finding{Severity: Warning, ID: "provisioner-no-key", About: "policy", Message: fmt.Sprintf("no file is accepted by %q of provisioners: %v", signer, err),
				Fix: "take it out of provisioners in " + e.Config + "; \"twokey key new-signer\" prints what belongs there"})
		}
	}
	for _, p := range e.People {
		if e.User == "" || p.Name == e.User {
			e.codes(p)
			e.helpdesk(p)
		}
	}
}

// codes: what is kept of somebody's enrolment and bypass codes. What is damaged holds nothing that could be saved.
func (e *examination) codes(p Person) {
	if p.Codes == nil {
		return
	}
	enrolment, bypass := p.Codes()
	for _, kept := range []struct {
		folder, what string
		err          error
	}{
		{"enrolling", "is refused at every session, and has to be given a new enrolment code if he had one", enrolment},
		{"bypass", "has no bypass code any more", bypass},
	} {
		if kept.err == nil || errors.Is(kept.err, safefile.ErrOwner) || errors.Is(kept.err, safefile.ErrMode) || errors.Is(kept.err, safefile.ErrParents) {
			continue // the latter are told of the file
		}
		path := fmt.Sprintf("%s/%s/%s", e.Root+e.Policy.Paths.Data, kept.folder, safefile.UserFileName(p.Name))
		e.add(Finding{Severity: Error, ID: kept.folder + "-damaged", About: "files", Message: fmt.Sprintf("%s %s: %s", p.Name, kept.what, oneLine(kept.err)),
			Fix: command("rm '%s'", path)})
	}
}

// helpdesk: a password alone does not make somebody one of the helpdesk.
func (e *examination) helpdesk(p Person) {
	member, err := e.Policy.Roles.Helpdesk.Has(p.Name, p.Facts(policy.SelfService, "").InGroup)
	if err != nil || !member || p.Enrolled {
		return
	}
	e.add(Finding{Severity: Warning, ID: "helpdesk-without-device", About: "policy", Fix: command("twokey enroll %s", p.Name),
		Message: p.Name + " is of the helpdesk and has no device, without which he can do nothing for others"})
}
