package timing

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/msteinert/pam/v2"
)

// application, in its environment, makes the test binary the program that people log in to.
const application = "TIMING_APPLICATION"

// login is what the application is told to do.
type login struct {
	ConfDir, Service, User, Source string
	Answer                         string // to the one question
}

// took is what a stranger sees of a login.
type took struct {
	ToPrompt time.Duration // from the beginning to the question
	ToEnd    time.Duration // from the answer to the end
	Texts    []string      // the question, and what was said
	Fault    string        // why there was no login
}

// serve runs logins until standard input ends.
func serve(in io.Reader, out io.Writer) error {
	runtime.LockOSThread()
	from, to := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var l login
		err := from.Decode(&l)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		result, err := l.run()
		if err != nil {
			result.Fault = err.Error()
		}
		if err := to.Encode(result); err != nil {
			return err
		}
	}
}

// run is one login. The module stands on an optional line, and behind it is one that lets in: libpam's own delay after a refusal, of one
// to three seconds, would hide what is to be measured.
func (l login) run() (took, error) {
	var k took
	var asked time.Time
	converse := func(style pam.Style, text string) (string, error) {
		k.Texts = append(k.Texts, text)
		if style != pam.PromptEchoOff {
			return "", nil
		}
		asked = time.Now()
		return l.Answer, nil
	}
	tx, err := pam.StartConfDir(l.Service, l.User, pam.ConversationFunc(converse), l.ConfDir)
	if err != nil {
		return k, err
	}
	if err := errors.Join(tx.SetItem(pam.Rhost, l.Source), tx.SetItem(pam.Tty, "ssh")); err != nil {
		return k, errors.Join(err, tx.End())
	}
	began := time.Now()
	err = tx.Authenticate(0)
	ended := time.Now()
	if asked.IsZero() {
		err = errors.Join(err, errors.New("nothing was asked"))
	}
	k.ToPrompt, k.ToEnd = asked.Sub(began), ended.Sub(asked)
	return k, errors.Join(err, tx.End())
}

// running is the application at work.
type running struct {
	to   *json.Encoder
	from *json.Decoder
}

// start starts the application as this command, which has the test binary for a program.
func start(t testing.TB, command *exec.Cmd) running {
	t.Helper()
	command.Env = append(command.Env, application+"=1")
	command.Stderr = os.Stderr
	in, err := command.StdinPipe()
	must(t, err)
	out, err := command.StdoutPipe()
	must(t, err)
	must(t, command.Start())
	t.Cleanup(func() {
		if err := errors.Join(in.Close(), command.Wait()); err != nil {
			t.Errorf("the application: %v", err)
		}
	})
	return running{json.NewEncoder(in), json.NewDecoder(out)}
}

func (r running) login(l login) (k took, err error) {
	if err := errors.Join(r.to.Encode(l), r.from.Decode(&k)); err != nil {
		return k, err
	}
	if k.Fault != "" {
		return k, fmt.Errorf("login of %s to %s: %s", l.User, l.Service, k.Fault)
	}
	return k, nil
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
