package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"twokey/deliver"
	"twokey/device"
	"twokey/enroll"
	"twokey/factor"
	"twokey/internal/proc"
	"twokey/messenger"
	"twokey/policy"
	"twokey/secrets"
	"twokey/state"
)

var (
	errNoPush   = errors.New("the user has no device of push")
	errPushOpen = errors.New("another request waits on the user's phone: let it be answered first")
)

// pushed is what push test --json prints.
type pushed struct {
	OK      bool   `json:"ok"`
	Answer  string `json:"answer"` // allow, deny, wrong, timeout or failed
	Problem string `json:"problem,omitempty"`
	Detail  string `json:"detail,omitempty"`
	Advice  string `json:"advice,omitempty"`
	Address string `json:"enroll_url,omitempty"` // where the user gets a device with the provider
}

func pushTestAction(c *cli.Context, ui *ui) error {
	name, err := oneUser(c)
	if err != nil {
		return err
	}
	h, u, err := openUsersInForce(c, ui)
	if err != nil {
		return err
	}
	if h.policy.Push == nil {
		return noProvider("push")
	}
	d, who, err := h.pushDevice(u, name)
	if err != nil {
		return about(name, err)
	}
	return about(who.Name, h.testPush(u, who, d.Secret))
}

// pushDevice is the phone of a user that can be asked.
func (h *host) pushDevice(u *enroll.Users, name string) (secrets.Device, enroll.Account, error) {
	record, who, err := h.recordFor(u, name)
	if errors.Is(err, enroll.ErrNotEnrolled) {
		err = errNoPush
	}
	if err != nil {
		return secrets.Device{}, who, err
	}
	i := slices.IndexFunc(record.Devices, func(d secrets.Device) bool { return d.Method == device.Push })
	if i < 0 {
		return secrets.Device{}, who, errNoPush
	}
	d := record.Devices[i]
	if d.Provider != h.policy.PushProvider() {
		return d, who, failed("the phone was linked with %s, and is not asked by %s", or(d.Provider, "a provider that is not known"), h.policy.PushProvider()).
			hint("twokey enroll %s --method push --replace, or, beside other devices: twokey device remove %s %s, and device add", who.Name, who.Name, d.Name)
	}
	return d, who, nil
}

func (h *host) testPush(u *enroll.Users, who enroll.Account, secret []byte) error {
	o, err := h.askPhone(u, who, secret)
	if err != nil {
		return err
	}
	result := pushed{o.allowed(), string(o.State), string(o.Problem), o.Detail, o.Advice, o.EnrollURL}
	if err := h.ui.object(result); err != nil {
		return err
	}
	if o.Problem == deliver.ProblemEnroll {
		return failed("%s has no device with the provider", who.Name).hint("%s", or(o.EnrollURL, "give him one in the provider's console"))
	}
	if err := o.failure("the request was not answered"); err != nil {
		return err
	}
	h.ui.say("%s", o.answerText())
	if o.State == deliver.StateTimeout && h.policy.Push.Provider == policy.ProviderNtfy {
		h.ui.say("If it did not come: is the phone subscribed, and may its account read the topic?\nWhat is to be set: twokey push setup --user %s", who.Name)
	}
	if !result.OK {
		return errSilent
	}
	return nil
}

// allowed reports whether a request was allowed on the phone.
//
// Attack: a provider that lets somebody in without asking, as Duo's bypass does, proves no phone.
func (o delivery) allowed() bool { return o.State == deliver.StateAllow && o.asked }

// answerText says in a sentence what was answered.
func (o delivery) answerText() string {
	switch {
	case !o.asked && (o.State == deliver.StateAllow || o.State == deliver.StateDeny):
		return "The provider has decided without asking a phone (" + string(o.State) + ": " + or(o.Detail, "it does not say why") + ")."
	case o.State == deliver.StateAllow:
		return "Allowed on the phone: push works."
	case o.State == deliver.StateDeny:
		return "Denied on the phone."
	case o.State == deliver.StateWrong:
		return "Another number was pressed than the one on the screen: a login would have been refused."
	}
	return "Nobody has answered in time."
}

// askPhone sends a user a request that lets nobody in, and waits for the answer.
func (h *host) askPhone(u *enroll.Users, who enroll.Account, secret []byte) (delivery, error) {
	question, err := h.question(who.Name, secret)
	if err != nil {
		return delivery{}, err
	}
	settings, err := h.messages(h.policy)
	if err != nil {
		return delivery{}, err
	}
	req, err := settings.Push(question)
	if err != nil {
		return delivery{}, err
	}
	end, err := openPush(u, who.Name, question.ID, time.Now().Add(req.Limit()))
	if err != nil {
		return delivery{}, err
	}
	var o delivery
	o.Answer, o.err = notify(req, func(a deliver.Answer) error {
		o.asked = o.asked || a.State == deliver.StateSent
		return h.tellPress(question, a)
	})
	err = errors.Join(end(), h.recordMessage("push-sent", who.Name, h.policy.Push.Provider, "", o))
	return o, errors.Join(o.err, err)
}

// tellPress says what is to be done on the phone, when the request is there.
func (h *host) tellPress(q messenger.Question, a deliver.Answer) error {
	switch {
	case a.State == deliver.StateForged:
		h.ui.warn("an answer came from somebody who does not have the request")
	case q.Right == 0:
		h.ui.aside("A request is on the phone: allow it there.")
	default:
		h.ui.aside(fmt.Sprintf("A request is on the phone: press %d there, and no other number.", q.Right))
	}
	return nil
}

// question is what the phone shows.
func (h *host) question(user string, secret []byte) (messenger.Question, error) {
	name, err := os.Hostname()
	if err != nil {
		return messenger.Question{}, err
	}
	p := h.policy
	q := messenger.Question{Secret: secret, User: user, Factor: "push", Wait: p.Push.Wait, Title: "twokey on " + name + ": a test",
		Allow: p.Text(policy.MsgPhoneAllow), Deny: p.Text(policy.MsgPhoneDeny),
		Facts: []deliver.Fact{{Name: p.Text(policy.MsgPhoneUser), Value: user}, {Name: p.Text(policy.MsgPhoneHost), Value: name},
			{Name: p.Text(policy.MsgPhoneService), Value: "twokey, which lets nobody in by this"},
			{Name: p.Text(policy.MsgPhoneTime), Value: time.Now().Format("2006-01-02 15:04:05 MST")}}}
	if p.Push.MatchNumber {
		q.Right, q.Wrong = factor.NewNumbers()
	}
	rand.Read(q.ID[:]) // never fails: it would end the program
	return q, nil
}

// openPush notes that a request is on the user's phone, so that a login sends no other, until end is called. Who has no state yet has no
// login that could.
func openPush(u *enroll.Users, user string, id state.ID, until time.Time) (end func() error, err error) {
	self, err := proc.Of(os.Getpid())
	if err != nil {
		return nil, err
	}
	change := func(do func(*state.Messages) error) error {
		err := u.State.Update(user, func(tx *state.Tx) error {
			m, err := tx.Messages(u.Now())
			if err == nil {
				err = do(m)
			}
			if err != nil {
				return err
			}
			return tx.SaveMessages(m)
		})
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	err = change(func(m *state.Messages) error {
		if m.Push != nil {
			return errPushOpen
		}
		m.Push = &state.OpenPush{ID: id, Process: self, Until: until}
		return nil
	})
	return func() error {
		return change(func(m *state.Messages) error {
			if m.Push != nil && m.Push.ID == id {
				m.Push = nil
			}
			return nil
		})
	}, err
}
