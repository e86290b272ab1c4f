package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"twokey/audit"
	"twokey/enroll"
	"twokey/policy"
	"twokey/state"
)

// leastBypass is the shortest time for which a bypass code is made: it has to be told to somebody.
const leastBypass = time.Minute

func bypassCommand(ui *ui) *cli.Command {
	return &cli.Command{Name: "bypass", Usage: "codes that let a user in without his device, for a while", Subcommands: []*cli.Command{
		{Name: "create", Usage: "make a bypass code for a user", ArgsUsage: "USER",
			Description: "For somebody whose phone is at home. The code is typed where a code is asked for, and works also while attempts are\n" +
				"used up. Who asked for it must be one of bypass.requesters, who may ask for themselves and for others.\n" +
				"Everything but the code itself is in the audit log.",
			Flags: []cli.Flag{
				&cli.StringFlag{Name: "for", Value: "1h", Usage: "how long it is good: `TIME`, at most bypass.longest, which is meant where it is shorter"},
				&cli.IntFlag{Name: "uses", Value: 1, Usage: fmt.Sprintf("it is good for `N` logins, 1 to %d", state.MaxBypassUses)},
				&cli.StringFlag{Name: "reason", Usage: "`WHY`, for the audit log"},
				&cli.StringFlag{Name: "requested-by", Usage: "the `USER` who asked for it"},
				&cli.BoolFlag{Name: "override", Usage: "root at a terminal only: whoever asked for it, which is reported"},
				dryRunFlag(),
			},
			Action: func(c *cli.Context) error { return bypassCreateAction(c, ui) }},
		{Name: "list", Usage: "the open bypass codes, of a user or of all", ArgsUsage: "[USER]",
			Action: func(c *cli.Context) error { return bypassListAction(c, ui) }},
		{Name: "revoke", Usage: "end a bypass code, or all of a user's", ArgsUsage: "USER [ID]",
			Flags:  []cli.Flag{dryRunFlag()},
			Action: func(c *cli.Context) error { return bypassRevokeAction(c, ui) }},
	}}
}

// bypassWish is what bypass create is to make.
type bypassWish struct {
	good      time.Duration
	usual     bool // good is not what --for said: the host may allow less
	uses      int
	reason    string
	requester string
	override  bool
}

func bypassWishOf(c *cli.Context) (bypassWish, error) {
	w := bypassWish{uses: c.Int("uses"), reason: c.String("reason"), requester: c.String("requested-by"), override: c.Bool("override"),
		usual: !c.IsSet("for")}
	var err error
	if w.good, err = duration("for", c.String("for")); err != nil {
		return bypassWish{}, err
	}
	switch {
	case w.good < leastBypass:
		return bypassWish{}, badUsage("--for: a bypass code is good for 1m at least, not %s", c.String("for"))
	case w.uses < 1 || w.uses > state.MaxBypassUses:
		return bypassWish{}, badUsage("--uses: %d, want 1 to %d", w.uses, state.MaxBypassUses)
	case w.reason == "" || w.requester == "":
		return bypassWish{}, badUsage("a bypass code needs --reason and --requested-by").
			hint("twokey bypass create alice --reason 'phone left at home' --requested-by bob")
	case len(w.reason) > state.MaxBypassReason || visible(w.reason) != w.reason || strings.TrimSpace(w.reason) == "":
		return bypassWish{}, badUsage("--reason: want 1 to %d bytes without control characters", state.MaxBypassReason)
	case len(w.requester) > state.MaxBypassName:
		return bypassWish{}, badUsage("--requested-by: want a user's name of at most %d bytes", state.MaxBypassName)
	}
	return w, checkUserName(w.requester)
}

// madeBypass is what bypass create --json prints, and, without the code, bypass list and revoke of each.
type madeBypass struct {
	User      string     `json:"user"`
	ID        string     `json:"id"`
	Code      string     `json:"code,omitempty"`
	Created   *time.Time `json:"created"`
	Until     *time.Time `json:"until"`
	Uses      int        `json:"uses"`
	Left      int        `json:"left"`
	Reason    string     `json:"reason"`
	Requester string     `json:"requested_by"`
	By        string     `json:"by"`
}

func bypassOf(user string, b enroll.Bypass) madeBypass {
	return madeBypass{User: user, ID: b.ID, Created: timeOrNull(b.Created), Until: timeOrNull(b.Until), Uses: b.Uses, Left: b.Left,
		Reason: b.Reason, Requester: b.Requester, By: b.By}
}

func bypassCreateAction(c *cli.Context, ui *ui) error {
	name, err := oneUser(c)
	if err != nil {
		return err
	}
	w, err := bypassWishOf(c)
	if err != nil {
		return err
	}
	h, u, err := openUsersInForce(c, ui)
	if err != nil {
		return err
	}
	found, err := h.known(u, []string{name})
	if err != nil {
		return err
	}
	p := found[0]
	if longest := h.policy.Bypass.Longest; w.good > longest && w.usual {
		w.good = longest
	} else if w.good > longest {
		return failed("a bypass code is good for %s at most here (bypass.longest), not %s", policy.Brief(longest), c.String("for")).
			hint("add --for %s", policy.Brief(longest))
	}
	switch {
	case !p.enrolled:
		return about(p.name, errNoBypassWithoutDevice)
	case p.problem != nil:
		return about(p.name, p.problem)
	}
	return about(p.name, h.createBypass(u, p, w))
}

// errNoBypassWithoutDevice is for a user who has nothing that could be bypassed.
var errNoBypassWithoutDevice = errors.New("has no device, so there is nothing to bypass")

func (h *host) createBypass(u *enroll.Users, p person, w bypassWish) error {
	overrides, err := h.checkRequester(&w)
	if err != nil {
		return errors.Join(err, h.recordRefused(p.name, w, err))
	}
	wish := enroll.Bypass{Until: time.Now().Add(w.good), Uses: w.uses, Reason: w.reason, Requester: w.requester,
		By: cut(h.actor.signature(), state.MaxBypassName)}
	if h.dryRun {
		h.ui.say("Would make a bypass code for %s, good for %s.", visible(p.name), bypassLimits(wish.Uses, wish.Until))
		return h.ui.object(bypassOf(p.name, wish))
	}
	made, text, err := u.NewBypass(p.name, wish)
	if err != nil {
		return err
	}
	// Shown only when it is in the log that there is one; else it ends again.
	if err := h.recordBypass(p.name, made, overrides); err != nil {
		_, endErr := u.RevokeBypass(p.name, made.ID)
		return errors.Join(err, endErr)
	}
	h.ui.say("Bypass code of %s, good for %s: %s", visible(p.name), bypassLimits(made.Uses, made.Until), text)
	h.ui.say("It is typed where a code is asked for, and not shown again. To end it: twokey bypass revoke %s %s", visible(p.name), made.ID)
	if p.outcome.Action == policy.Ignore {
		h.ui.warn("%s is not asked for a code: %s", p.name, p.outcome.Reason)
	}
	result := bypassOf(p.name, made)
	result.Code = text
	return h.ui.object(result)
}

func bypassLimits(uses int, until time.Time) string {
	return fmt.Sprintf("%s until %s", count(uses, "login"), until.Local().Format("2006-01-02 15:04"))
}

// cut shortens a text to so many bytes, between two characters.
func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "")
}

// The fields of a record that say who asked for a bypass code, and why.
const (
	fieldRequester = "requested_by"
	fieldReason    = "reason"
)

func (h *host) recordBypass(user string, b enroll.Bypass, overrides bool) error {
	changes := []audit.Change{{Field: "id", New: b.ID}, {Field: "until", New: b.Until.Format(time.RFC3339)}, {Field: "uses", New: fmt.Sprint(b.Uses)},
		{Field: fieldRequester, New: b.Requester}, {Field: fieldReason, New: b.Reason}}
	if !overrides {
		return h.record("bypass-create", user, changes...)
	}
	h.reportOverride(user, b)
	return h.record("bypass-override", user, changes...)
}

// recordRefused keeps that a bypass code was asked for in the name of somebody who may not: whoever tries one name after the other is seen.
func (h *host) recordRefused(user string, w bypassWish, refusal error) error {
	if h.dryRun {
		return nil
	}
	rec := h.newRecord("bypass-create", user, audit.Change{Field: fieldRequester, New: w.requester},
		audit.Change{Field: fieldReason, New: w.reason})
	rec.Outcome, rec.Reason = audit.Failure, oneLine(refusal)
	if err := audit.Append(h.path(h.policy.Paths.Audit), rec); err != nil {
		return fmt.Errorf("the audit log could not be written: %w", err)
	}
	return nil
}

func bypassListAction(c *cli.Context, ui *ui) error {
	if c.NArg() > 0 {
		if _, err := oneUser(c); err != nil {
			return err
		}
	}
	h, u, err := openUsersInForce(c, ui)
	if err != nil {
		return err
	}
	names, err := h.whoseBypasses(u, c.Args().Slice())
	if err != nil {
		return err
	}
	all := []madeBypass{}
	var failed []error
	for _, name := range names {
		open, err := u.Bypasses(name)
		failed = append(failed, about(name, err))
		for _, b := range open {
			all = append(all, bypassOf(name, b))
		}
	}
	return errors.Join(append(failed, h.listBypasses(all))...)
}

func (h *host) whoseBypasses(u *enroll.Users, named []string) ([]string, error) {
	if len(named) == 0 {
		names, err := u.State.BypassUsers()
		if err != nil {
			return nil, err
		}
		slices.Sort(names)
		return h.touchable(u, names)
	}
	found, err := h.known(u, named)
	if err != nil {
		return nil, err
	}
	return plainNames(found), nil
}

// touchable are those of names whom who acts may look at: root at all of them.
func (h *host) touchable(u *enroll.Users, names []string) ([]string, error) {
	if !h.actor.socket {
		return names, nil
	}
	people, err := h.lookUp(u, names)
	people = slices.DeleteFunc(people, func(p person) bool { return h.untouchable(p.account) != "" })
	return plainNames(people), err
}

func (h *host) listBypasses(all []madeBypass) error {
	if len(all) == 0 {
		h.ui.say("No bypass code is open.")
		return h.ui.object(all)
	}
	rows := [][]string{{"USER", "ID", "GOOD UNTIL", "LEFT", "REQUESTED BY", "MADE BY", "REASON"}}
	for _, b := range all {
		rows = append(rows, []string{b.User, b.ID, at(b.Until), fmt.Sprintf("%d of %d", b.Left, b.Uses), b.Requester, b.By, b.Reason})
	}
	return errors.Join(h.ui.table(rows), h.ui.object(all))
}

func bypassRevokeAction(c *cli.Context, ui *ui) error {
	if c.NArg() < 1 || c.NArg() > 2 {
		return badUsage("bypass revoke takes a user, and perhaps an id").hint("twokey bypass list shows the ids")
	}
	if err := checkUserName(c.Args().First()); err != nil {
		return err
	}
	h, u, err := openUsersInForce(c, ui)
	if err != nil {
		return err
	}
	found, err := h.known(u, c.Args().Slice()[:1])
	if err != nil {
		return err
	}
	return about(found[0].name, h.revokeBypass(u, found[0].name, c.Args().Get(1)))
}

// revokeBypass ends the code with an id, or with "" all.
func (h *host) revokeBypass(u *enroll.Users, user, id string) error {
	open, err := u.Bypasses(user)
	if err != nil {
		return err
	}
	open = slices.DeleteFunc(open, func(b enroll.Bypass) bool { return id != "" && b.ID != id })
	if len(open) == 0 {
		return enroll.ErrNoBypass
	}
	ended := []madeBypass{}
	for _, b := range open {
		if err := h.endBypass(u, user, b); err != nil {
			return errors.Join(err, h.ui.object(ended))
		}
		ended = append(ended, bypassOf(user, b))
	}
	return h.ui.object(ended)
}

func (h *host) endBypass(u *enroll.Users, user string, b enroll.Bypass) error {
	if h.dryRun {
		h.ui.say("Would end the bypass code %s of %s.", b.ID, visible(user))
		return nil
	}
	if _, err := u.RevokeBypass(user, b.ID); err != nil {
		return err
	}
	if err := h.record("bypass-revoke", user, audit.Change{Field: "id", Old: b.ID, New: "ended"}, audit.Change{Field: "left", Old: fmt.Sprint(b.Left), New: "0"}); err != nil {
		return err
	}
	h.ui.say("Ended the bypass code %s of %s.", b.ID, visible(user))
	return nil
}
