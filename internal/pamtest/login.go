package pamtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/msteinert/pam/v2"
)

// Phase is a PAM function that the application calls.
type Phase string

// The phases of a login.
const (
	Authenticate Phase = "authenticate"
	SetCred      Phase = "setcred"
	Account      Phase = "account"
	OpenSession  Phase = "open_session"
	CloseSession Phase = "close_session"
)

// Login is one PAM transaction.
type Login struct {
	ConfDir string              // folder with the service's file, see [Service]
	Service string              // name of the service
	User    string              // user who logs in
	Phases  []Phase             // phases to run, up to the first that fails; nil: Authenticate, Account
	Items   map[pam.Item]string // items such as pam.Rhost
	Env     []string            // PAM environment, NAME=VALUE
	Flags   pam.Flags           // flags for every phase
	Under   []string            // command to run the application under, such as prlimit --fsize=0

	// Converse answers a prompt; an error makes the conversation fail. It is not called for information and errors. Nil
	// fails every prompt.
	Converse func(Message) (string, error) `json:"-"`
}

// Message is one message of the conversation.
type Message struct {
	Style pam.Style
	Text  string
}

// Result is what became of a [Login].
type Result struct {
	Codes    []pam.Error // one for each phase that ran; 0 is PAM_SUCCESS
	Messages []Message   // what the application was asked to show and to ask, in order
}

// OK reports whether every phase succeeded.
func (r Result) OK() bool {
	return len(r.Codes) > 0 && r.Codes[len(r.Codes)-1] == 0
}

// ErrNoAnswer is what [Answers] returns when it has none left.
var ErrNoAnswer = errors.New("pamtest: no answer is left")

// Answers returns a Converse that gives the answers in their order and then fails.
func Answers(answers ...string) func(Message) (string, error) {
	return func(Message) (string, error) {
		if len(answers) == 0 {
			return "", ErrNoAnswer
		}
		answer := answers[0]
		answers = answers[1:]
		return answer, nil
	}
}

// The application and the test exchange these, one after the other: Login, then for each prompt an event and a reply, and at the
// end an event with the result.
type (
	event struct {
		Prompt *Message
		Result *Result
	}
	reply struct {
		Answer string
		Failed bool
	}
)

const (
	childVariable = "PAMTEST_CHILD" // set in the environment of the application
	childOutput   = 3               // descriptor on which it writes events
	childTimeout  = 150 * time.Second
)

// Run runs the transaction and returns what became of it. The test fails when it does not come to an end by itself.
func (l Login) Run(t testing.TB) Result {
	t.Helper()
	result, err := l.run()
	if err != nil {
		t.Fatalf("pamtest: login of %s to %s: %v", l.User, l.Service, err)
	}
	return result
}

func (l Login) run() (Result, error) {
	ctx, cancel := context.WithTimeout(context.Background(), childTimeout)
	defer cancel()
	program, err := os.Executable()
	if err != nil {
		return Result{}, err
	}
	argv := append(append([]string(nil), l.Under...), program)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	// The race detector sleeps for a second at the end of each process unless it is told not to.
	cmd.Env = append(os.Environ(), childVariable+"=1", "GORACE="+os.Getenv("GORACE")+" atexit_sleep_ms=0")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return Result{}, err
	}
	events, childEvents, err := os.Pipe()
	if err != nil {
		return Result{}, err
	}
	defer events.Close()
	cmd.ExtraFiles = []*os.File{childEvents}
	err = cmd.Start()
	childEvents.Close()
	if err != nil {
		return Result{}, err
	}
	result, talkErr := l.talk(json.NewEncoder(stdin), json.NewDecoder(events))
	return result, errors.Join(talkErr, cmd.Wait())
}

// talk is the test's side of the conversation with the application.
func (l Login) talk(to *json.Encoder, from *json.Decoder) (Result, error) {
	if err := to.Encode(l); err != nil {
		return Result{}, err
	}
	for {
		var e event
		if err := from.Decode(&e); err != nil {
			return Result{}, fmt.Errorf("the application said nothing more: %w", err)
		}
		if e.Result != nil {
			return *e.Result, nil
		}
		r := reply{Failed: true}
		if l.Converse != nil {
			answer, err := l.Converse(*e.Prompt)
			r = reply{answer, err != nil}
		}
		if err := to.Encode(r); err != nil {
			return Result{}, err
		}
	}
}

// Child runs the transaction and exits when this process is the application of a [Login]; otherwise it returns at once. It is the
// first thing that TestMain calls.
func Child() {
	if os.Getenv(childVariable) == "" {
		return
	}
	if err := runChild(); err != nil {
		fmt.Fprintln(os.Stderr, "pamtest:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func runChild() error {
	if err := os.Unsetenv(childVariable); err != nil {
		return err
	}
	from, to := json.NewDecoder(os.Stdin), json.NewEncoder(os.NewFile(childOutput, "events"))
	var l Login
	if err := from.Decode(&l); err != nil {
		return err
	}
	var result Result
	converse := func(style pam.Style, text string) (string, error) {
		m := Message{style, text}
		result.Messages = append(result.Messages, m)
		if style != pam.PromptEchoOff && style != pam.PromptEchoOn {
			return "", nil
		}
		var r reply
		if err := errors.Join(to.Encode(event{Prompt: &m}), from.Decode(&r)); err != nil || r.Failed {
			return "", pam.ErrConv
		}
		return r.Answer, nil
	}
	if err := l.transact(converse, &result); err != nil {
		return err
	}
	return to.Encode(event{Result: &result})
}

// transact is the application.
func (l Login) transact(converse pam.ConversationFunc, result *Result) error {
	tx, err := pam.StartConfDir(l.Service, l.User, converse, l.ConfDir)
	if err != nil {
		return fmt.Errorf("pam_start: %w", err)
	}
	for item, value := range l.Items {
		if err := tx.SetItem(item, value); err != nil {
			return fmt.Errorf("item %d: %w", item, err)
		}
	}
	for _, variable := range l.Env {
		if err := tx.PutEnv(variable); err != nil {
			return fmt.Errorf("environment %s: %w", variable, err)
		}
	}
	phases := l.Phases
	if phases == nil {
		phases = []Phase{Authenticate, Account}
	}
	for _, phase := range phases {
		code, err := l.runPhase(tx, phase)
		if err != nil {
			return err
		}
		result.Codes = append(result.Codes, code)
		if code != 0 {
			break
		}
	}
	if err := tx.End(); err != nil {
		return fmt.Errorf("pam_end: %w", err)
	}
	return nil
}

func (l Login) runPhase(tx *pam.Transaction, phase Phase) (pam.Error, error) {
	var err error
	switch phase {
	case Authenticate:
		err = tx.Authenticate(l.Flags)
	case SetCred:
		err = tx.SetCred(l.Flags | pam.EstablishCred)
	case Account:
		err = tx.AcctMgmt(l.Flags)
	case OpenSession:
		err = tx.OpenSession(l.Flags)
	case CloseSession:
		err = tx.CloseSession(l.Flags)
	default:
		return 0, fmt.Errorf("no such phase: %s", phase)
	}
	var code pam.Error
	if err == nil || errors.As(err, &code) {
		return code, nil
	}
	return 0, err
}
