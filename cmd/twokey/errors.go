package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"twokey/audit"
	"twokey/device"
	"twokey/enroll"
	"twokey/factor"
	"twokey/internal/safefile"
	"twokey/internal/slotfile"
	"twokey/policy"
	"twokey/secrets"
	"twokey/state"
)

// Exit statuses.
const (
	exitDone     = 0
	exitFailed   = 1
	exitUsage    = 2 // wrong usage; nothing was changed
	exitNo       = 3 // the answer is no: code wrong, switched off, log changed
	exitNeedRoot = 4
)

// errSilent is for an outcome that has been printed already; with exitNo as status.
var errSilent = errors.New("the answer is no")

// advised is an error with its exit status and the next step.
type advised struct {
	text   string
	advice string
	status int

	forRoot bool // the advice is for root alone
}

// Error gives the text without the advice.
func (a *advised) Error() string { return a.text }

// hint adds the next step, with the command to type where there is one.
func (a *advised) hint(format string, args ...any) *advised {
	a.advice = fmt.Sprintf(format, args...)
	return a
}

// hintRoot is hint for a step that only root can take.
func (a *advised) hintRoot(format string, args ...any) *advised {
	a.forRoot = true
	return a.hint(format, args...)
}

func badUsage(format string, args ...any) *advised {
	return &advised{text: fmt.Sprintf(format, args...), status: exitUsage}
}

func failed(format string, args ...any) *advised {
	return &advised{text: fmt.Sprintf(format, args...), status: exitFailed}
}

// needRoot advises to type the same again, with all its arguments.
func needRoot(command string, typed []string) *advised {
	return (&advised{text: command + " needs root", status: exitNeedRoot}).hint("%s", asRoot(typed))
}

func exitStatus(err error) int {
	var a *advised
	var done *relayed
	switch {
	case errors.Is(err, errSilent):
		return exitNo
	case errors.As(err, &done):
		return done.status
	case errors.As(err, &a):
		return a.status
	}
	return exitFailed
}

// aboutUser is an error that concerns one user, whom the hint can then name.
type aboutUser struct {
	user string
	err  error
}

// Error begins with the user.
func (a *aboutUser) Error() string { return a.user + ": " + a.err.Error() }

// Unwrap gives the error by whose type the hint is chosen.
func (a *aboutUser) Unwrap() error { return a.err }

// about adds the user to an error that was not written for him alone; nil stays nil.
func about(user string, err error) error {
	var own *advised
	if err == nil || errors.As(err, &own) {
		return err
	}
	return &aboutUser{user, err}
}

// hintFor chooses root's next step by the error's type; "" when there is none to advise.
func hintFor(err error) string {
	var a *advised
	if errors.As(err, &a) && a.advice != "" {
		return a.advice
	}
	user := "USER"
	var who *aboutUser
	if errors.As(err, &who) {
		user = who.user
	}
	for _, hint := range []func(error, string) string{hintForUser, hintForDevice, hintForPhone, hintForSecrets, hintForFile, hintForSystem} {
		if advice := hint(err, user); advice != "" {
			return advice
		}
	}
	return ""
}

// hintForUser advises on what a user is or is not.
func hintForUser(err error, user string) string {
	switch {
	case errors.Is(err, enroll.ErrEnrolled):
		return fmt.Sprintf("twokey device add %s puts a new one beside it; twokey enroll %s --replace in its place; twokey reset %s only ends it",
			user, user, user)
	case errors.Is(err, enroll.ErrNotEnrolled):
		return fmt.Sprintf("twokey enroll %s", user)
	case errors.Is(err, enroll.ErrOtherUID), errors.Is(err, enroll.ErrOtherName), errors.Is(err, device.ErrRestored),
		errors.Is(err, enroll.ErrNoState):
		return fmt.Sprintf("if it is the same person: twokey adopt %s", user)
	case errors.Is(err, factor.ErrShortSecret):
		return allowShortHint
	case errors.Is(err, enroll.ErrSameSecret):
		return "leave --secret-file out for a new secret"
	}
	return ""
}

// hintForDevice advises on a device or a code that is not, or is too much.
func hintForDevice(err error, user string) string {
	switch {
	case errors.Is(err, enroll.ErrLastDevice):
		return fmt.Sprintf("first a new one: twokey device add %s; or without any: twokey reset %s, twokey unenroll %s", user, user, user)
	case errors.Is(err, enroll.ErrNoDevice), errors.Is(err, enroll.ErrDeviceName), errors.Is(err, enroll.ErrManyDevices):
		return fmt.Sprintf("twokey device list %s", user)
	case errors.Is(err, errNoBypassWithoutDevice):
		return fmt.Sprintf("to let the user link a device at the next login: twokey enroll --code %s", user)
	case errors.Is(err, enroll.ErrNoBypass), errors.Is(err, enroll.ErrManyBypasses):
		return fmt.Sprintf("twokey bypass list %s", user)
	}
	return ""
}

// hintForSecrets advises on a secret file or a state that cannot be used.
func hintForSecrets(err error, user string) string {
	anew := fmt.Sprintf("put the right file back from a backup, or give the user a new device: twokey enroll %s --replace", user)
	switch {
	case errors.Is(err, secrets.ErrWrongKey), errors.Is(err, secrets.ErrMAC):
		return "was the host key replaced? " + anew
	case errors.Is(err, secrets.ErrCorrupt), errors.Is(err, secrets.ErrWrongUser),
		errors.Is(err, secrets.ErrSignature), errors.Is(err, device.ErrRolledBack), errors.Is(err, device.ErrEnded):
		return anew
	case errors.Is(err, secrets.ErrSigner):
		return "if the file comes from where it should: put the signer's line (twokey key new-signer printed it) under provisioners in the configuration"
	case errors.Is(err, secrets.ErrVersion):
		return "a newer twokey wrote it: update this one"
	case errors.Is(err, secrets.ErrHostKey):
		return "put the host key back from a backup; without it nobody's secret can be read"
	case state.IsDamaged(err):
		return fmt.Sprintf("give the user a new device: twokey enroll %s --replace", user)
	}
	return ""
}

// hintForFile advises on a file that safefile has refused.
func hintForFile(err error, _ string) string {
	var path *fs.PathError
	if !errors.As(err, &path) || errors.As(err, new(*safefile.LimitError)) {
		return ""
	}
	switch {
	case errors.Is(err, safefile.ErrOwner):
		return fmt.Sprintf("find out who put it there; if it is right: chown root:root '%s'", path.Path)
	case errors.Is(err, safefile.ErrMode):
		return fmt.Sprintf("find out who has changed or read it; if it is right: chmod %s '%s'", tighter(path.Path), path.Path)
	case errors.Is(err, safefile.ErrParents):
		return fmt.Sprintf("namei -l '%s' shows the directory that others can change", path.Path)
	case errors.Is(err, safefile.ErrType), errors.Is(err, safefile.ErrLinks), errors.Is(err, safefile.ErrSize):
		return fmt.Sprintf("find out who put it there: ls -l '%s'", path.Path)
	}
	return ""
}

// tighter is how chmod(1) takes away what others may do: reading too, but not with a directory that is perhaps not ours alone.
func tighter(path string) string {
	if at, err := os.Stat(path); err == nil && at.IsDir() {
		return "go-w"
	}
	return "go="
}

// hintForSystem advises on what the machine cannot do just now.
func hintForSystem(err error, _ string) string {
	var where *policy.Error
	switch {
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return "df -h shows which file system is full"
	case errors.Is(err, unix.EROFS):
		return "findmnt -O ro shows which file systems are read-only"
	case errors.Is(err, slotfile.ErrTimeout):
		return "somebody else is at work on the same user: try again"
	case errors.Is(err, audit.ErrHead):
		return "twokey audit verify says what is wrong with the log"
	case errors.Is(err, policy.ErrByHand):
		return "edit the file, then: twokey policy check"
	case errors.As(err, &where):
		return "mend the file, then: twokey policy check; until then logins go by the last good policy (twokey status)"
	}
	return ""
}
