// Package pamhook is the order of one login, from top to bottom; nothing else knows that order.
//
// For the authenticate phase:
//
//  1. The module's HELLO says who wants to log in, where and from where (pamhook/wire).
//  2. The policy in force decides (policy.Decide): not asked, asked, or asked and refused; and how the service can ask.
//  3. What the service has one field for is fetched, password and code together (appended.go), also for who is then not asked.
//  4. Who has given a code here not long ago, where the policy remembers that, is let in without a question (remember.go); at a
//     service that cannot ask, who has given one from the same source (earlier.go). Both as 8 to 10, and only if a code could have
//     let him in. Every other service that cannot ask is closed.
//  5. Who is required, has no device and may enrol here (with an enrolment code, if the policy wants one) is announced and let on to the
//     account phase (enrolment.go); if it is not sure yet that his password was right, after the question of 6.
//  6. One question is asked, in the same words for everybody; behind a password, right or wrong, it offers what the host can send (choice.go). No
//     lock is held meanwhile. Who has nothing but his phone is asked nothing, and sent something at once; who was answered on it in another run
//     of the same login is let in (secondrun.go).
//  7. The user's secrets are opened. Whoever has none, or is unknown, or may not get in, has the same work done for him on a
//     decoy's secrets and a decoy's state, so that the time tells nothing (decoy.go).
//  8. Under the lock of the user's state the attempt is charged, written, looked at, its code used up and written (attempt.go,
//     trial.go). After a refusal, without the lock, it is found out by how much a clock may be wrong: for the log only. Who has chosen something
//     that can be sent to him has it written down under the lock that it is on its way, and it is sent without the lock (message.go, text.go,
//     push.go, passcode.go); then it goes on at 6 with a later question, or with 9 where the phone has answered.
//  9. One audit record is appended.
//  10. Only when 8 and 9 had no error, the verdict is to allow. At the console a disk that cannot be written can be forgiven, and
//     nothing else (fault.go).
//
// What it must and must not do, each with a test:
//
//   - There MUST be one way to an allowing [Verdict]: the function allow in verdict.go. Its zero value denies.
//   - Whatever fails MUST deny, and leave its reason in the audit log; the person sees the words of a wrong code, or none where password
//     and code are in one field. Only who has used a code himself is told that it was used.
//   - How long a refusal takes MUST NOT tell its reason: as much is done for everybody, and the time since the answer is rounded up.
//   - Not subject to the policy MUST be said as Ignore, never as Allow, so that a "sufficient" line is no way in.
//   - A module line marked as decoy MUST NOT charge, send or allow anything.
//   - While the policy is only observed, nobody MUST be turned away for what it says or for a fault of ours.
//   - A panic MUST end the run without a verdict, which denies, and be in the audit log.
//   - Of a password and a code in one field nothing MUST be cut off but a code that was right; and that MUST NOT make a source known, nor
//     open anything else, for the password is still to be looked at.
//   - Nobody MUST be let in for the sake of an earlier code whom a right code would not let in now, nor from a source that may be
//     many people, nor where rights are raised.
//
// # What is sent to phones
//
// Another process sends it, which has the network ([Messenger]). The rules of codes by SMS stand in text.go, of push in push.go, of the second run
// of a login in secondrun.go, of Duo's passcodes in passcode.go. For all of it:
//
//   - Nothing MUST be sent but behind a right password (after=password): not on a decoy line, nor in a program of the user's own.
//   - A word of a method that somebody does not have MUST be a wrong answer, looked at by the same work, and refused in the same words.
//   - That something is sent MUST be on the disk before it is, and so MUST what it takes: a text of the limits of texts, a push of the same tries
//     as a code, also when nobody answers it.
//   - Nobody MUST wait past the end of the phase, nor for a client that has gone; and the module MUST know of each wait.
//   - What cannot be sent MUST leave the user his other ways, and be in the log with its reason; who has none left is refused.
//   - Neither a code, a number to press, a credential nor a whole telephone number MUST be in any record or warning.
//
// # The account phase
//
// The application reaches it only when the whole authentication has succeeded. The module starts us there only after an announcement;
// whoever comes without one is denied (account.go). In one conversation (linking.go) the user gives his enrolment code, says what will hold
// the codes, sees the picture, gives a first code and notes his recovery codes; then it is recorded that the device is to be in force, it is put
// in force, and that is recorded. Where codes by SMS or push would let him in here, he may choose these: what must and must not be done with
// his number and his phone stands in linkingtext.go and linkingpush.go. Each MUST has a test:
//
//   - Nothing MUST be linked in authenticate, by whatever answer.
//   - Only what this very process has announced at this service MUST be enrolled, once; and nobody by a program of the user's own.
//   - Only whom the policy lets enrol here MUST be announced; where at_login is "with-code", only for whom a code is open, and nothing MUST
//     be linked without it, nor when it was ended since it was given.
//   - What was begun MUST NOT be shown to who comes from elsewhere.
//   - Wherever it breaks off, nothing MUST be left but what was begun: neither a device nor a state. Exactly one of two at once wins.
//   - Nobody MUST be let on before the device is in force and that is in the log. Nothing MUST be linked of which nothing can be recorded.
//   - Nothing of it MUST be forgiven at the console.
//   - A session MUST NOT open for a login whose account phase was announced and never came; nobody is announced at that service then.
//   - What was announced MUST say whether the password was right before it. By that a program that asks for no more than authenticate is
//     found out when it has let the user in by his password once (package enroll); where the line does not say after=password it is not,
//     since a stranger could have announced as much, and lets in by the password while a code is open or at_login is "yes".
//
// # The session
//
// The open-session phase records by which factor a session opens, or why by none; when it opens, its user is told what he should know
// (notice.go). Who is not subject to the policy is not stopped there either, whatever is broken. For everybody else:
//
//   - A success of the authenticate phase MUST open one session: of the same process or its parent, of the same service, within
//     open_within. Later the session is refused, each time that it is tried, and also when that success has opened one in time.
//   - A session that cannot be recorded, or whose success cannot be used up, MUST NOT open.
//   - Who is denied MUST NOT get a session by a key alone; nor who is required, where ssh_keys_alone is deny, by anything that nobody
//     has typed; nor anybody who is enrolled or required, where the service is closed to them.
package pamhook

import (
	"time"

	"twokey/audit"
	"twokey/internal/proc"
	"twokey/pamhook/wire"
	"twokey/policy"
	"twokey/policy/inforce"
	"twokey/secrets"
	"twokey/state"
)

// Conversation is the person at the other end, and the name service behind him: what the module offers. *wire.Conn is one.
type Conversation interface {
	Hello() *wire.Hello
	Prompt(text string, echo bool) (answer []byte, reason wire.NoAnswer, err error)
	Authtok(prompt string) (typed []byte, reason wire.NoAnswer, err error)
	CutAuthtok(n int) error
	Info(text string, isError bool) error
	LookupGroup(name string) (wire.Membership, error)
	// Wait tells the module that nothing will be said for so many seconds, 1 to 90.
	Wait(seconds int) error
}

// Secrets opens users' secret files; *secrets.Store does.
type Secrets interface {
	Enrolled(user string) (bool, error)
	Load(user string) (*secrets.Record, error)
	LoadDecoy() (*secrets.Record, error)
}

// States keeps what changes about users; *state.Store does.
type States interface {
	NameOf(uid uint32) (string, error)
	Read(user string) (*state.State, error)
	Update(user string, change func(*state.Tx) error) error
	New(*state.State) error
	Bind(uid uint32, user string) error
	Messages(user string, now time.Time) (*state.Messages, error)
	TakeText(now time.Time, perHour int) error
}

// Host is where a login happens: all that it needs and does not have from the module. What cannot be opened is an error when
// it is needed, and denies then.
type Host struct {
	Policy  func(config string) (*inforce.Policy, error) // also with an error one, to know where refusals are recorded
	Secrets func(policy *inforce.Policy) (Secrets, error)
	State   func(policy *inforce.Policy) (States, error)
	Append  func(policy *inforce.Policy, record audit.Record) error // to the audit log
	// Enrolment gives users their first device.
	Enrolment func(policy *inforce.Policy) (Enrolment, error)
	// Messenger sends something to users' phones.
	Messenger func(policy *inforce.Policy) (Messenger, error)
	// System reports whether an account is a system account: a low user id and no login shell, never root.
	System func(uid uint32, shell string) (bool, error)
	// Warn says something that an administrator should see although the audit log may be what is broken.
	Warn func(message string)
	// Now is in the zone in which the policy counts days where it names none.
	Now func() time.Time
	// Sleep waits for the next turn of a pair, and before a refusal.
	Sleep func(time.Duration)
	// Gone reports whether the module has ended the conversation, as it does when the client has gone.
	Gone func() bool
	// End is when the application, or the module, ends this phase without a word; zero: nobody knows.
	End time.Time
	// Name is that of the machine, as its users know it.
	Name string
	// Application is the process that the module runs in, and its parent.
	Application, Parent proc.ID
	// Self is this process, with which whatever it waits for ends.
	Self proc.ID
	// Own says that the application belongs to the user himself and not to root, as a screen locker does: whatever lets him in there opens
	// nothing else.
	Own bool
}

// Run takes one phase of one login through to its verdict.
func (h *Host) Run(c Conversation) (v Verdict) {
	r := &run{host: h, conv: c, hello: c.Hello()}
	ended := false
	defer func() {
		if !ended { // a panic, which is not held up: whatever it broke, nobody is let in after it
			r.crashed()
		}
	}()
	v = r.phase()
	ended = true
	return v
}

func (r *run) phase() Verdict {
	if r.hello.Flags&wire.FlagItemTooLong != 0 {
		return r.incomplete()
	}
	switch r.hello.Phase {
	case wire.PhaseAuthenticate:
		return r.authenticate()
	case wire.PhaseAccount:
		return r.account()
	case wire.PhaseOpenSession:
		return r.openSession()
	}
	return Verdict{}
}

// run is one phase of one login.
type run struct {
	host    *Host
	conv    Conversation
	hello   *wire.Hello
	policy  *inforce.Policy
	source  string
	ssh     policy.SSHAuth
	way     policy.Way // how the service asks
	outcome policy.Outcome

	long      bool           // the answer is as long as two codes can be
	passcode  bool           // the answer may be looked at by a provider on the network
	answered  time.Time      // when the person had answered; before that, when the phase began
	trial     *trial         // of the answer that was looked at; nil: none was
	texted    bool           // it was compared with the code of a text
	message   *message       // what is to be sent next; nil: nothing
	choices   int            // how often something was to be sent
	failed    []string       // methods by which nothing could be sent
	how       string         // how the user has succeeded, if not by a code of his own; ""
	byServer  bool           // the application, and no person, answers
	unasked   bool           // a provider lets the user in without asking his phone
	enrolling bool           // this login is to give the user a device: nothing is forgiven
	elsewhere bool           // another service could
	linkedNow string         // the name of the device that the login of this session has linked; "": none
	clockBack bool           // times in the user's state lie in the future
	ended     []state.Device // that have expired since the user's last success
	forgiven  error          // what could not be written to the state, and was let pass
	unwritten error          // a record that is not in the audit log
}

// begin finds the policy in force and says loudly when it is not that of the configuration file.
func (r *run) begin() error {
	r.answered = r.host.Now()
	r.source, r.ssh = sourceOf(r.hello), policy.ParseSSHAuth(r.hello.SSHAuthInfo)
	config := r.hello.Config
	if config == "" {
		config = inforce.DefaultConfig
	}
	policy, err := r.host.Policy(config)
	r.policy = policy
	if err != nil {
		r.host.Warn("every login is denied: " + err.Error())
		return err
	}
	if policy.Problem != nil {
		r.host.Warn(r.problem())
	}
	if policy.Changed {
		r.notePolicyChange()
	}
	r.noteExpired()
	return nil
}
