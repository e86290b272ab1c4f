package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/msteinert/pam/v2"
	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"
)

// transactionName is the command by which test login starts itself again. It is not for people: it talks on descriptor 3, in
// lines of JSON, a pamMessage for each thing that the stack says and a pamAnswer for each question.
const transactionName = "login-transaction"

const transactionFD = 3

// transaction is one login to be tried, the only argument of the child.
type transaction struct {
	User    string `json:"user"`
	Service string `json:"service"`
	From    string `json:"from"`
	Caller  uint32 `json:"caller"` // the user who has started it, where that is not root; also PAM_RUSER
	ConfDir string `json:"conf_dir"`
}

// The kinds of a message.
const (
	pamHidden = "hidden" // a question whose answer is not shown
	pamShown  = "shown"
	pamInfo   = "info"
	pamError  = "error"
	pamDone   = "done" // the last one; Text "": let in
)

type pamMessage struct {
	Kind string `json:"kind"`
	Text string `json:"text"`
}

type pamAnswer struct {
	OK   bool   `json:"ok"` // false: there is no answer
	Text string `json:"text"`
}

func transactionCommand() *cli.Command {
	return &cli.Command{
		Name:   transactionName,
		Hidden: true,
		Action: func(c *cli.Context) error {
			if os.Geteuid() != 0 {
				return needRoot(nameOf(c), []string{transactionName})
			}
			var t transaction
			if err := json.Unmarshal([]byte(c.Args().First()), &t); err != nil || c.NArg() != 1 {
				return badUsage("%s is started by test login only", transactionName)
			}
			return t.run(newTalk(os.NewFile(transactionFD, "test login")))
		},
	}
}

// talk is the child's end of the conversation.
type talk struct {
	from *json.Decoder
	to   *json.Encoder
}

func newTalk(conn *os.File) *talk { return &talk{json.NewDecoder(conn), json.NewEncoder(conn)} }

// RespondPAM is what a module's words go through.
func (k *talk) RespondPAM(style pam.Style, text string) (string, error) {
	kind, question := pamInfo, false
	switch style {
	case pam.PromptEchoOff:
		kind, question = pamHidden, true
	case pam.PromptEchoOn:
		kind, question = pamShown, true
	case pam.ErrorMsg:
		kind = pamError
	}
	if err := k.to.Encode(pamMessage{kind, strings.ToValidUTF8(text, "?")}); err != nil || !question {
		return "", err
	}
	var answer pamAnswer
	if err := k.from.Decode(&answer); err != nil {
		return "", err
	}
	if !answer.OK {
		return "", errNoInput
	}
	return answer.Text, nil
}

// run takes the transaction to its decision and says it. That PAM refuses is no error of this process.
func (t transaction) run(k *talk) error {
	runtime.LockOSThread() // modules keep things by thread: user ids, name spaces, keyrings
	refusal := t.decide(k)
	text := ""
	if refusal != nil {
		text = refusal.Error()
	}
	return k.to.Encode(pamMessage{pamDone, text})
}

func (t transaction) ruser() string {
	if t.Caller == 0 {
		return ""
	}
	return t.User
}

func (t transaction) decide(k *talk) (err error) {
	// As in su, the real user is who calls: by that the module knows where an attempt comes from.
	if t.Caller != 0 {
		if err := unix.Setreuid(int(t.Caller), -1); err != nil {
			return fmt.Errorf("setreuid: %w", err)
		}
	}
	var handle *pam.Transaction
	if t.ConfDir != "" {
		handle, err = pam.StartConfDir(t.Service, t.User, k, t.ConfDir)
	} else {
		handle, err = pam.Start(t.Service, t.User, k)
	}
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	defer func() { err = errors.Join(err, handle.End()) }()
	for item, value := range map[pam.Item]string{pam.Rhost: t.From, pam.Ruser: t.ruser()} {
		if value == "" {
			continue
		}
		if err := handle.SetItem(item, value); err != nil {
			return err
		}
	}
	if err := handle.Authenticate(0); err != nil {
		return fmt.Errorf("authenticate: %w", err)
	}
	if err := handle.AcctMgmt(0); err != nil {
		return fmt.Errorf("account: %w", err)
	}
	return nil
}
