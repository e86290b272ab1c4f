package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"twokey/audit"
	"twokey/enroll"
	"twokey/internal/mail"
	"twokey/internal/safefile"
	"twokey/internal/sysuser"
	"twokey/policy"
)

func remindCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:  "remind",
		Usage: "mail those who are required and have no device",
		Description: "Sends each of them one mail, to the address and over the server that mail: in the configuration names. The text is\n" +
			"that of the messages mail_subject, mail_body, mail_body_required and mail_body_until. A mail that the server does not\n" +
			"take does not keep the others back.",
		Flags: []cli.Flag{
			severalFlag(group, "only members of `GROUP`"),
			&cli.BoolFlag{Name: "optional", Usage: "also those who may have a device and have none"},
			&cli.BoolFlag{Name: dryRun, Usage: "print the mails, and send nothing"},
		},
		Action: func(c *cli.Context) error { return remindAction(c, ui) },
	}
}

func remindAction(c *cli.Context, ui *ui) error {
	if err := noArguments(c); err != nil {
		return err
	}
	h, u, err := openUsersInForce(c, ui)
	if err != nil {
		return err
	}
	server, err := h.mailServer()
	if err != nil {
		return err
	}
	people, err := h.withoutDevice(u, c.StringSlice(group), c.Bool("optional"))
	if err != nil {
		return err
	}
	h.warnOff()
	var reminders []reminder
	for _, p := range people {
		reminders = append(reminders, h.reminder(&p, server.Name, time.Now()))
	}
	if h.dryRun {
		return h.showReminders(reminders)
	}
	return h.sendReminders(server, reminders)
}

// reminder is a mail to one user, and what became of it; and what remind --json prints of it.
type reminder struct {
	User    string `json:"user"`
	To      string `json:"to"`
	Subject string `json:"subject"`
	Text    string `json:"text"`
	Sent    bool   `json:"sent"`
	Error   string `json:"error"` // why it was not sent; "" also in a dry run
}

// mailServer is where mails go, with the password from its file.
func (h *host) mailServer() (mail.Server, error) {
	m := h.policy.Mail
	if m.To == "" {
		return mail.Server{}, failed("no mail is configured").
			hint("add to %s: mail: {server: localhost:25, from: twokey@example.org, to: \"%%USER%%@example.org\"}", h.config)
	}
	name, err := os.Hostname()
	if err != nil || m.User == "" {
		return mail.Server{Address: m.Server, Name: name}, err
	}
	dir, err := safefile.OpenDir(h.path(h.policy.Paths.Credentials))
	if err != nil {
		return mail.Server{}, err
	}
	defer dir.Close()
	password, err := dir.Read(m.PasswordFile, safefile.Secret)
	if err != nil {
		return mail.Server{}, err
	}
	line := strings.TrimSuffix(string(password), "\n")
	if line == "" || strings.ContainsAny(line, "\x00\n") {
		return mail.Server{}, failed("%s/%s is not one line with the password of %s", dir.Path(), m.PasswordFile, m.User)
	}
	return mail.Server{Address: m.Server, Name: name, User: m.User, Password: line}, nil
}

// withoutDevice are those who are to be reminded: in one of the groups, where there are any.
func (h *host) withoutDevice(u *enroll.Users, groups []string, optional bool) ([]person, error) {
	people, err := h.people(u)
	for _, group := range groups {
		if err == nil {
			people, err = h.addListed(u, group, people)
		}
	}
	if err != nil {
		return nil, err
	}
	var kept []person
	for _, p := range people {
		missing := p.account != nil && !p.enrolled
		if !missing || !p.required() && !p.mustEnroll() && !(optional && p.outcome.Decision == policy.Optional) {
			continue
		}
		member, err := p.inOneOf(groups)
		if err != nil {
			return nil, err
		}
		if member {
			kept = append(kept, p)
		}
	}
	return kept, nil
}

// addListed adds whom a group's own list names: a directory service often gives no list of accounts in which they would be.
func (h *host) addListed(u *enroll.Users, group string, people []person) ([]person, error) {
	if exists, err := sysuser.GroupExists(group); err != nil || !exists {
		return nil, errors.Join(err, failed("there is no group %q on this host", group).hint("getent group lists the groups"))
	}
	names, err := groupNames(group)
	for _, name := range names {
		p, err := h.person(u, name)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(people, func(other person) bool { return other.name == p.name }) {
			people = append(people, p)
		}
	}
	return people, err
}

// inOneOf reports whether the user is a member of one of the groups; without any, everybody is.
func (p *person) inOneOf(groups []string) (bool, error) {
	for _, group := range groups {
		if in, err := p.inGroup(group); in || err != nil {
			return in, err
		}
	}
	return len(groups) == 0, nil
}

// reminder writes to somebody who has no device what that means for him.
func (h *host) reminder(p *person, hostName string, now time.Time) reminder {
	values := []string{"USER", p.name, "HOST", hostName}
	body := policy.MsgMailBody
	if p.required() || p.mustEnroll() {
		body = policy.MsgMailBodyRequired
	}
	if grace := p.grace(); body == policy.MsgMailBodyRequired && !grace.IsZero() {
		body = policy.MsgMailBodyUntil
		values = append(values, "DATE", h.policy.FormatDate(grace.In(now.Location()).Add(-time.Nanosecond), now))
	}
	return reminder{User: p.name, To: h.mailAddress(p.name), Subject: h.policy.Text(policy.MsgMailSubject, values...),
		Text: h.policy.Text(body, values...) + "\n"}
}

func (h *host) showReminders(reminders []reminder) error {
	for i := range reminders {
		r := &reminders[i]
		if err := mail.CheckAddress(r.To); err != nil {
			r.Error = err.Error()
			h.ui.warn("%s: %s", r.User, r.Error)
			continue
		}
		h.ui.lines("To: " + r.To + "\nSubject: " + r.Subject + "\n\n" + r.Text + "\n")
	}
	h.ui.say("Would send %d.", len(reminders)-failures(reminders))
	return errors.Join(h.ui.object(listOf(reminders)), notSent(reminders))
}

// sendReminders sends one after the other. When the server cannot be used at all, the rest is not tried: each would wait as long.
func (h *host) sendReminders(server mail.Server, reminders []reminder) error {
	var unusable error
	for i := range reminders {
		r := &reminders[i]
		err := unusable
		if err == nil {
			err = server.Send(mail.Message{From: h.policy.Mail.From, To: r.To, Subject: r.Subject, Body: r.Text, Date: time.Now()})
		}
		if errors.Is(err, mail.ErrServer) && unusable == nil {
			unusable = fmt.Errorf("not tried: %w", mail.ErrServer)
		}
		if r.Sent = err == nil; r.Sent {
			h.ui.say("Mailed %s: %s", visible(r.User), r.To)
			continue
		}
		r.Error = err.Error()
		h.ui.warn("%s: %s", r.User, oneLine(err))
	}
	h.ui.say("sent %d, failed %d", len(reminders)-failures(reminders), failures(reminders))
	return errors.Join(h.recordReminders(reminders), h.ui.object(listOf(reminders)), notSent(reminders))
}

// recordReminders records how many got a mail; when nobody was to get one, nothing was done.
func (h *host) recordReminders(reminders []reminder) error {
	if len(reminders) == 0 {
		return nil
	}
	bad := failures(reminders)
	record := h.newRecord("remind", "")
	record.Details = []audit.Detail{{Key: "twokey.mails_sent", Value: strconv.Itoa(len(reminders) - bad)},
		{Key: "twokey.mails_failed", Value: strconv.Itoa(bad)}}
	record.Reason = fmt.Sprintf("sent %d, failed %d", len(reminders)-bad, bad)
	if bad > 0 {
		record.Outcome = audit.Failure
	}
	if err := audit.Append(h.path(h.policy.Paths.Audit), record); err != nil {
		return fmt.Errorf("the mails are sent, but the audit log could not be written: %w", err)
	}
	return nil
}

func failures(reminders []reminder) (n int) {
	for _, r := range reminders {
		if r.Error != "" {
			n++
		}
	}
	return n
}

func notSent(reminders []reminder) error {
	if n := failures(reminders); n > 0 {
		return failed("of %d mails %d could not be sent", len(reminders), n)
	}
	return nil
}

// listOf makes a list in JSON of one that has nothing in it.
func listOf(reminders []reminder) []reminder { return append([]reminder{}, reminders...) }
