// Package doctor examines a host and says whether a login would work, whether it would be asked for a second factor, what is wrong,
// and what to write or to type to mend it. It changes nothing: it reads files, and runs sshd -T, chronyc and systemctl show.
//
// # Findings
//
// A finding has a severity, an id that stays the same, one sentence, and a fix. An error is broken: somebody who should get in does
// not, or the other way round. A warning is a weakness, or will be an error when something else happens. What is only good to know
// is an info. A fix is a command, or lines of files in a form that is always the same, so that they can be carried out:
//
//	/etc/pam.d/sshd line 4: write "auth required pam_twokey.so after=password"
//	/etc/pam.d/sshd line 7: put before it "account required pam_twokey.so"; /etc/pam.d/sshd line 9: take it out
//	run: chmod 0600 /etc/twokey/host.key
//
// # Services
//
// [Report.Services] has a row for each service that calls the module, and for each service of logins where the policy asks somebody and
// that does not. The rows come from the same walks through the stacks, and the same runs of sshd -T, as the findings: where a row says
// "passed by", a finding says by which line.
//
// # Enrolment
//
// A login at which somebody enrols goes on in the account phase. That is missing where the stack does not call the module there, and where
// a login has found so ([Host.Lacking]): such a service then enrols nobody, until its stack has the line and the finding is forgotten
// ([Report.Mended] has those services). What users do without root needs the PAM service twokey-self and two socket units; where
// systemd does not run nothing is said about those.
//
// # Phones
//
// Where SMS or push has a provider, the program that sends messages, the user that it runs as and the credential files are looked at, and
// whether each service offers them: a line without after=password takes codes only. What a provider thinks of the credentials is not asked:
// "twokey sms status" and "twokey push test" do. Devices that nothing is sent to any more are named with who has them.
//
// # What counts as not asked
//
// [Report.NotAsked] is set when somebody for whom the policy in force says "required" would get in without being asked: a service
// without the module, a way past it, a setting of sshd or sudo by which PAM is not called. For users who are only optional that is a
// warning. Logins by SSH key alone are an info while ssh_keys_alone is accept, since that says that they need not be asked; with
// deny they count as not asked when the session line, which refuses them, is missing or has no effect.
package doctor

import (
	"context"
	"slices"
	"strings"
	"time"

	"twokey/internal/pamconf"
	"twokey/policy"
)

// Severity says how bad a finding is.
type Severity string

// The severities, the worst first.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
	Info    Severity = "info"
)

// Finding is one thing that is wrong, or good to know.
type Finding struct {
	Severity Severity `json:"severity"`
	ID       string   `json:"id"`
	Message  string   `json:"message"`
	Fix      string   `json:"fix"`

	About    string `json:"-"` // the PAM service, or "host", "clock", "files"
	NotAsked bool   `json:"-"` // by it somebody who is required gets in without being asked
}

// Report is what doctor found out, sorted by what it is about, the worst first.
type Report struct {
	Services []Service // in the order of their names: those that call the module, and logins where the policy asks somebody
	Findings []Finding
	Mended   []string // services of [Host.Lacking] whose stack has the account line now
}

// OK reports whether nothing is broken.
func (r *Report) OK() bool { return r.count(Error) == 0 }

// NotAsked reports whether somebody would not be asked though the policy says so.
func (r *Report) NotAsked() bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.NotAsked })
}

func (r *Report) count(s Severity) (n int) {
	for _, f := range r.Findings {
		if f.Severity == s {
			n++
		}
	}
	return n
}

// Errors and Warnings count the findings of a severity.
func (r *Report) Errors() int { return r.count(Error) }

// Warnings counts those that are weaknesses.
func (r *Report) Warnings() int { return r.count(Warning) }

// Person is an account of the host.
type Person struct {
	Name     string
	Shell    string
	Enrolled bool
	Facts    func(service, from string) policy.Facts // of a login now
	Devices  []Device                                // whatever is known of them without the host key

	// Codes reads what is kept of his enrolment and bypass codes, each with why it cannot be read; nil: not looked at.
	Codes func() (enrolment, bypass error)
}

// Device is one that somebody has.
type Device struct {
	Name   string
	Method string    // totp, hotp, sms or push; "": not known
	Until  time.Time // when it ends; zero: never
}

// Lacking is a service at which a login had to go on to its account phase and did not.
type Lacking struct {
	Service string
	Since   time.Time // when that was last found
}

// Host is what is examined.
type Host struct {
	Root   string         // "" or the folder in which the host's file system lies
	Config string         // the configuration, Root included
	Policy *policy.Config // in force; nil: there is none
	// Problem is why the configuration is not what is in force, or why no policy is; nil: all is well.
	Problem error
	People  []Person
	Now     time.Time

	Lacking []Lacking // what logins have found out

	Service, User, From string // what the examination is narrowed to; "": everything

	Notify     string                                  // the absolute path of twokey-notify; "": /usr/libexec/twokey/twokey-notify
	SSHD       string                                  // the program; "": /usr/sbin/sshd
	Clock      func(context.Context) (Clock, error)    // nil: [MachineClock]
	FileSystem func(folder string) (FileSystem, error) // nil: not looked at

	// Unit tells of a socket unit; nil: not looked at. [MachineUnit] asks systemd.
	Unit func(ctx context.Context, name string) (Unit, error)
}

// Examine looks at everything. What cannot be found out is a finding. ctx bounds the programs that are run.
func Examine(ctx context.Context, h Host) *Report {
	e := &examination{Host: h, ctx: ctx, pam: pamconf.Host{Root: h.Root}}
	e.policyInForce()
	if h.Policy != nil {
		e.services()
		e.sshd()
		e.sudo()
		e.loginDefs()
		e.byPassword()
		e.mended()
	}
	if h.Service == "" && h.Policy != nil {
		e.selfService()
		e.ends()
		e.people()
		e.phones()
		e.phoneDevices()
	}
	if h.Service == "" {
		e.files()
		e.programs()
		e.clock()
	}
	slices.SortStableFunc(e.found, worstFirst)
	r := &Report{Findings: e.found, Mended: e.again}
	for _, row := range e.rows {
		r.Services = append(r.Services, *row)
	}
	return r
}

// examination is one run.
type examination struct {
	Host
	ctx   context.Context
	pam   pamconf.Host
	found []Finding
	rows  []*Service
	again []string // of Report.Mended
}

func (e *examination) add(f Finding) {
	if !slices.Contains(e.found, f) {
		e.found = append(e.found, f)
	}
}

func worstFirst(a, b Finding) int {
	if c := slices.Index(severities(), a.Severity) - slices.Index(severities(), b.Severity); c != 0 {
		return c
	}
	return strings.Compare(a.About, b.About)
}

func severities() []Severity { return []Severity{Error, Warning, Info} }

// within reports whether a service is examined.
func (e *examination) within(service string) bool { return e.Service == "" || e.Service == service }

// concerned are the people whom the policy asks on a service: those who are required, and those who are only asked because they have
// a device. A source narrows it, "" is none.
func (e *examination) concerned(service, from string) (required, asked []Person) {
	for _, p := range e.People {
		if e.User != "" && p.Name != e.User {
			continue
		}
		switch outcome := e.Policy.Decide(p.Facts(service, from)); {
		case outcome.Decision == policy.Required || outcome.Decision == policy.Deny:
			required = append(required, p)
		case outcome.Action != policy.Ignore:
			asked = append(asked, p)
		}
	}
	return required, asked
}

// names are a few of the people, for a sentence.
func names(people []Person) string {
	const few = 3
	var all []string
	for i, p := range people {
		if i == few {
			all = append(all, "...")
			break
		}
		all = append(all, p.Name)
	}
	return strings.Join(all, ", ")
}
