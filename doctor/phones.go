package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"twokey/internal/pamconf"
	"twokey/internal/safefile"
	"twokey/policy"
)

const (
	// usualNotify is what the Makefile builds into the login helper.
	usualNotify = "/usr/libexec/twokey/twokey-notify"
	// notifyUser is the system user that twokey-notify runs as.
	notifyUser = "_twokey"
)

// phones: what SMS and push need on this host, and who relies on them.
func (e *examination) phones() {
	sms, push := e.Policy.SMS != nil, e.Policy.Push != nil
	if sms || push {
		e.notifier()
	}
	if sms {
		e.provider("sms", e.Policy.SMS.Credentials())
	}
	if push {
		e.provider("push", e.Policy.Push.Credentials())
	}
	if sms && e.Policy.SMS.Provider == policy.ProviderCommand {
		e.startable("sms-command-unusable", "the program that sends text messages", e.Policy.SMS.Command[0],
			"put the program back, or name another: twokey sms setup --provider command")
	}
}

// notifier: the program that has the network, and the user that it runs as.
func (e *examination) notifier() {
	e.startable("notify-unusable", "the program that sends messages", e.notify(), "install twokey again")
	below := ""
	if e.Root != "" {
		below = fmt.Sprintf("--prefix '%s' ", e.Root)
	}
	fix := command("useradd %s--system --no-create-home --shell /usr/sbin/nologin %s", below, notifyUser)
	switch uid, gid, number := e.sender(); {
	case number == 0:
		e.add(Finding{Severity: Error, ID: "notify-user-missing", About: "files", Fix: fix,
			Message: fmt.Sprintf("no message is sent, since there is no user %s in /etc/passwd, which the program that sends them runs as", notifyUser)})
	case isRoot(gid) && !isRoot(uid):
		e.add(Finding{Severity: Error, ID: "notify-user-root", About: "files", Message: "no message is sent, since the user " + notifyUser + " is in root's group",
			Fix: command("usermod %s--gid nogroup %s", below, notifyUser)})
	case isRoot(uid):
		e.add(Finding{Severity: Error, ID: "notify-user-root", About: "files", Message: "no message is sent, since the user " + notifyUser + " is root itself",
			Fix: both(takeOut(pamconf.Place{File: "/etc/passwd", Number: number}), fix)})
	}
}

// sender finds the user that messages are sent as, with the number of its line; 0: there is none.
func (e *examination) sender() (uid, gid string, number int) {
	for _, line := range e.linesOf("/etc/passwd") {
		if fields := strings.Split(line.text, ":"); len(fields) == 7 && fields[0] == notifyUser {
			return fields[2], fields[3], line.number
		}
	}
	return "", "", 0
}

func isRoot(id string) bool {
	n, err := strconv.ParseUint(id, 10, 32)
	return err != nil || n == 0
}

func (e *examination) notify() string {
	if e.Notify == "" {
		return usualNotify
	}
	return e.Notify
}

// startable is a program that root starts as another user: nobody else may have written it, and that user must get to it.
func (e *examination) startable(id, what, path, install string) {
	f := Finding{Severity: Error, ID: id, About: "files", Fix: install}
	full := e.Root + path
	why, fix := e.notStartable(full)
	if is, err := filepath.EvalSymlinks(full); why == "" && err == nil && is != full {
		why, fix = e.notStartable(is) // what a link leads to lies in a folder of its own
	}
	if why == "" {
		return
	}
	if fix != "" {
		f.Fix = fix
	}
	f.Message = fmt.Sprintf("no message is sent, since %s %s cannot be used: %s", what, path, why)
	e.add(f)
}

// notStartable is why a program cannot be used, and what mends it, if that is not to install it anew.
func (e *examination) notStartable(full string) (why, fix string) {
	file, folder, err := statProgram(full)
	switch {
	case errors.Is(err, safefile.ErrParents), errors.Is(err, safefile.ErrOwner), errors.Is(err, safefile.ErrMode):
		return "others can write to a folder above it", command("namei -l '%s'", full)
	case err != nil:
		return reason(err).Error(), ""
	case file.Uid != 0:
		return "it belongs to somebody else than root", command("chown root:root '%s'", full)
	case file.Mode&0o022 != 0:
		return "others can write to it", command("chmod go-w '%s'", full)
	case !e.mayStart(file):
		return notifyUser + " may not start it", command("chmod 0755 '%s'", full)
	case !e.mayStart(folder):
		return notifyUser + " does not get to its folder", command("chmod 0755 '%s'", filepath.Dir(full))
	}
	return "", ""
}

// statProgram looks at a program and the folder in which it is found. Many are links, such as python3: then it is what that leads to. An error
// of safefile is one of the folder.
func statProgram(path string) (file, folder unix.Stat_t, err error) {
	dir, err := safefile.OpenDir(filepath.Dir(path))
	if err != nil {
		return file, folder, err
	}
	defer dir.Close()
	f, _, err := safefile.OpenImport(path, anySize)
	if err != nil {
		return file, folder, err
	}
	err = errors.Join(unix.Fstat(int(f.Fd()), &file), unix.Fstat(dir.Fd(), &folder), f.Close())
	return file, folder, err
}

// mayStart reports whether the user that messages are sent as has the right to execute, or to go into a folder.
func (e *examination) mayStart(st unix.Stat_t) bool {
	_, gid, _ := e.sender()
	if strconv.FormatUint(uint64(st.Gid), 10) == gid {
		return st.Mode&0o010 != 0
	}
	return st.Mode&0o001 != 0
}

// provider: one that nobody uses, or that does not know who we are. Owner and mode of credential files are told of the files.
func (e *examination) provider(method string, credentials []string) {
	if !slices.Contains(e.Policy.Methods, method) {
		e.add(Finding{Severity: Warning, ID: "provider-unused", About: "policy", Fix: e.addMethod(method),
			Message: fmt.Sprintf("%s has a provider, and methods does not name %s: nothing is sent", method, method)})
		return
	}
	for _, name := range credentials {
		path := e.Root + e.Policy.Paths.Credentials + "/" + name
		f := Finding{Severity: Error, ID: "credential-wrong", About: "files", Fix: command("twokey %s setup", method)}
		switch wrong, err := e.credential(name); {
		case errors.Is(err, fs.ErrNotExist):
			f.ID, f.Message = "credential-missing", fmt.Sprintf("%s is not sent, since %s is not there", method, path)
		case errors.Is(err, safefile.ErrOwner), errors.Is(err, safefile.ErrMode), errors.Is(err, safefile.ErrParents):
			continue
		case err != nil:
			f.Message = fmt.Sprintf("%s is not sent, since %s cannot be read: %v", method, path, reason(err))
		case wrong:
			f.Message = fmt.Sprintf("%s is not sent, since %s is not one line with a credential", method, path)
		default:
			continue
		}
		e.add(f)
	}
}

// credential reports whether a file is something else than one line, as package messenger reads it.
func (e *examination) credential(name string) (wrong bool, err error) {
	dir, err := safefile.OpenDir(e.Root + e.Policy.Paths.Credentials)
	if err != nil {
		return false, err
	}
	content, err := dir.Read(name, safefile.Secret)
	if err = errors.Join(err, dir.Close()); err != nil {
		return false, err
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r")
	clear(content)
	return text == "" || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }), nil
}

// addMethod adds a method to those that count, before the recovery codes.
func (e *examination) addMethod(method string) string {
	all := slices.Clone(e.Policy.Methods)
	at := slices.Index(all, "recovery")
	if at < 0 {
		at = len(all)
	}
	all = slices.Insert(all, at, method)
	return command("twokey config set methods '[%s]'", strings.Join(all, ", "))
}

// isPhone reports whether a device shows no code: something has to be sent to it.
func (d Device) isPhone() bool { return d.Method == "sms" || d.Method == "push" }

func (d Device) over(now time.Time) bool { return !d.Until.IsZero() && !now.Before(d.Until) }

// onlyPhones reports whether somebody has devices of these methods, and every one is a phone.
func (e *examination) onlyPhones(p Person, methods []string) bool {
	found := false
	for _, d := range p.Devices {
		switch {
		case d.over(e.Now), !slices.Contains(methods, d.Method):
		case !d.isPhone():
			return false
		default:
			found = true
		}
	}
	return found
}

// phoneDevices: devices that nothing is sent to any more.
func (e *examination) phoneDevices() {
	useless := map[string][]Person{}
	for _, p := range e.People {
		if e.User != "" && p.Name != e.User {
			continue
		}
		methods, answers := e.unsent(p)
		if len(methods) > 0 && !answers && e.isAsked(p) {
			e.add(Finding{Severity: Error, ID: "nothing-but-a-phone", About: "policy", Fix: command("twokey reset %s", p.Name),
				Message: fmt.Sprintf("%s has nothing but %s, by which nothing is sent any more, and gets in nowhere where he is asked", p.Name, strings.Join(methods, " and "))})
			continue
		}
		for _, method := range methods {
			useless[method] = append(useless[method], p)
		}
	}
	for _, method := range []string{"push", "sms"} {
		if len(useless[method]) == 0 {
			continue
		}
		fix := command("twokey %s setup", method)
		if method == "sms" && e.Policy.SMS != nil || method == "push" && e.Policy.Push != nil {
			fix = e.addMethod(method)
		}
		e.add(Finding{Severity: Warning, ID: "device-without-provider", About: "policy", Fix: fix,
			Message: fmt.Sprintf("users have devices of %s, by which nothing is sent: %s", method, names(useless[method]))})
	}
}

// unsent are the methods of somebody's devices that nothing is sent to, and whether he has another device that can answer.
func (e *examination) unsent(p Person) (methods []string, answers bool) {
	for _, d := range p.Devices {
		switch {
		case d.over(e.Now):
		case d.isPhone() && !e.Policy.Sends(d.Method):
			methods = append(methods, d.Method)
		default:
			answers = answers || slices.Contains(e.Policy.Methods, d.Method)
		}
	}
	return methods, answers
}

// isAsked reports whether the policy asks somebody at a login that calls our module. Where devices are changed everybody is asked who has one.
func (e *examination) isAsked(p Person) bool {
	return slices.ContainsFunc(e.rows, func(r *Service) bool {
		return r.Name != policy.SelfService && e.Policy.Decide(p.Facts(r.Name, e.From)).Action != policy.Ignore
	})
}
