package pamhook

import (
	"errors"
	"time"

	"twokey/audit"
	"twokey/internal/proc"
	"twokey/pamhook/wire"
	"twokey/policy"
	"twokey/secrets"
)

// Enrolment gives users their first device at a login; cmd/twokey-verify makes one of package enroll. What is announced, and what is
// begun, it keeps on the disk. Other errors than those below are faults, and deny.
type Enrolment interface {
	// CodeOpen reports whether an enrolment code is open for the user.
	CodeOpen(user string) (bool, error)
	// CheckCode is nil for the user's open enrolment code, which is used up by Draft.Finish only; else ErrCode or ErrCodeEnded.
	CheckCode(a Account, answer string) error
	// Announce keeps that the account phase of a login has to ask. ErrNoAccountLine: at this service none will come, since there is no
	// account line, or since one has not come after a right password.
	Announce(a Account, n Announcement) error
	// TakeAnnouncement gives what the same process has announced at the same service, and ends that; nil when that is nothing.
	TakeAnnouncement(a Account, n Announcement) (*Announcement, error)
	// Missed reports whether the process, or a child of it, has announced itself at the same service and the account phase has not come.
	// Then it never will at this service, which is kept.
	Missed(a Account, n Announcement) (bool, error)
	// Begin gives the unfinished device of the user's same wish, of at most 15 minutes ago, or a new one. ErrMeanwhile: he has one by now, or
	// the code is not his any more; ErrCodeEnded: it has ended.
	Begin(a Account, w Wish) (Draft, error)
	// Country names the country of a telephone number in the form of E.164, in English; ErrNumber for one that no country has.
	Country(number string) (string, error)
	// TakeText takes one text from the caps of the user (*state.LimitError) and of the host, so many in an hour (state.ErrHostLimit).
	TakeText(a Account, perHour int) error
	// TakePush takes one push from the caps of the user (*state.LimitError), for a phone that he has with a provider already.
	TakePush(a Account) error
}

// Wish is what somebody enrols with.
type Wish struct {
	Device string // its name
	Method string // "totp", "sms" or "push"
	Phone  string // of SMS, E.164
	Code   string // the enrolment code that he has given; "": none is wanted
	From   string // his source, as state.SourceKey gives it: what was begun from elsewhere may have been read by somebody else
}

// Draft is a device that is not in force yet.
type Draft interface {
	Shown() Shown
	// Confirm reports whether the answer is a code of the device, and uses it up. Of SMS it is the code of Challenge.
	Confirm(answer string, discrepancy int) bool
	// Challenge draws a code for the number of a draft of SMS, good until then for three answers. It ends the one before.
	Challenge(digits int, until time.Time) (code string, err error)
	// ConfirmPush says that a push was allowed on the phone.
	ConfirmPush() error
	// Finish puts the device in force, if it was confirmed. ErrMeanwhile: an administrator or another login of the user has ended what was begun.
	Finish() error
}

// Shown is what the person has to see of a draft. The texts are lines without control characters.
type Shown struct {
	Device      secrets.Device
	Address     string   // otpauth, or ntfy, by which the phone subscribes; "": there is none
	Topic       string   // of ntfy
	Picture     string   // QR code of the address, in half blocks, for light letters on a dark ground
	Inverse     string   // the same for dark letters on a light one
	WidePicture string   // the same as Picture in # signs
	Recovery    []string // codes; none: he gets none
}

// Account is who enrols: the canonical name and the user id of the name service.
type Account struct {
	Name string
	UID  uint32
}

// Announcement is a login whose account phase has to ask.
type Announcement struct {
	Process, Parent proc.ID // of the application
	Service         string
	Time            time.Time
	AfterPassword   bool // authenticate comes only after a right password: else it may be a stranger's login
}

// Errors of an Enrolment on which the login branches.
var (
	ErrCode          = errors.New("wrong enrolment code")
	ErrCodeEnded     = errors.New("the enrolment code has ended, or was used")
	ErrMeanwhile     = errors.New("what was begun has been ended meanwhile, or the user has a device by now")
	ErrNumber        = errors.New("not a telephone number in the international form")
	ErrNoAccountLine = errors.New("the account line of pam_twokey.so is missing in this service's file in /etc/pam.d, or its program does not ask it")
)

// What the audit log calls the events of an enrolment at login.
const (
	actionAnnounced = "enrolment-announced"
	actionConfirmed = "enrolment-confirmed"
	actionEnroll    = "enroll" // as by the command line
)

func (r *run) enrolment() (Enrolment, error) { return r.host.Enrolment(r.policy) }

func (r *run) whoEnrols() Account { return Account{r.hello.Name, r.hello.UID} }

func (r *run) announcement() Announcement {
	return Announcement{Process: r.host.Application, Parent: r.host.Parent, Service: r.hello.Service, Time: r.host.Now(),
		AfterPassword: r.hello.Flags&wire.FlagAfterPassword != 0}
}

// enrolsHere reports whether the account phase of this login is to give the user a device.
func (r *run) enrolsHere(s subject, action policy.Action) bool {
	return action == policy.AskThenDeny && s.known && s.problem == nil && r.outcome.Enroll && !r.outcome.Observe && !r.host.Own && r.mayBegin()
}

// enrolsElsewhere reports whether another login could give it to him: this one's service cannot show how. It is only for the ears of who
// has given the right password.
func (r *run) enrolsElsewhere(s subject, action policy.Action) bool {
	return action == policy.AskThenDeny && s.known && s.problem == nil && r.outcome.NeedsDevice && !r.outcome.EnrollByAdmin &&
		r.hello.Flags&wire.FlagAfterPassword != 0 && !r.policy.CanEnroll(r.hello.Service) && r.mayBegin()
}

// mayBegin reports whether the user may enrol at some login. With an enrolment code that is only for whom one is open: without it a stolen
// password would be enough to link the thief's phone.
func (r *run) mayBegin() bool {
	if r.policy.AtLogin != policy.AtLoginWithCode {
		return r.policy.AtLogin == policy.AtLoginYes
	}
	enrolment, err := r.enrolment()
	open := false
	if err == nil {
		open, err = enrolment.CodeOpen(r.hello.Name)
	}
	if err != nil {
		r.host.Warn("no enrolment code can be found: " + err.Error())
	}
	return open && err == nil
}

// announce lets on to the account phase, which the application reaches only when the password was right too, and in which alone somebody is
// enrolled. Where that is not sure yet he is asked like everybody, and what he answers is of no use.
//
// Attack: where "auth required pam_unix" stands above us, give a wrong password, so that we link a phone before the stack has failed.
func (r *run) announce(s subject) Verdict {
	r.enrolling = true
	sure := r.hello.Flags&wire.FlagAfterPassword != 0
	if !sure {
		given := r.prompt()
		r.tryDecoy(given)
		if given.err != nil {
			return r.refuse(given.err)
		}
	}
	enrolment, err := r.enrolment()
	if err == nil {
		err = enrolment.Announce(r.whoEnrols(), r.announcement())
	}
	if err != nil {
		if sure {
			r.tryDecoy(r.prompt())
		}
		return r.refuse(r.reason(s, err))
	}
	verdict := r.letIn(err, r.record(actionAnnounced, audit.Success, r.reason(s, nil).Error()))
	verdict.account = true
	return verdict
}

// accountMissed refuses a session that opens though the account phase of its login, which has to enrol, has never come: the line is missing
// in the service's file, or the application does without. Whom sshd lets in by a key was let in by no announcement: what waits is that of a
// wrong password before it, in a stack that goes on after one, and says nothing of the line.
func (r *run) accountMissed(s subject) error {
	if !s.known || r.ssh.KeyAlone() {
		return nil
	}
	enrolment, err := r.enrolment()
	if err != nil {
		return err
	}
	missed, err := enrolment.Missed(r.whoEnrols(), r.announcement())
	if missed {
		return errors.Join(ErrNoAccountLine, err)
	}
	return err
}
