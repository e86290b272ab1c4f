package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"twokey/audit"
)

func policyObservedCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:  "observed",
		Usage: "who would have been refused while the policy was only observed",
		Description: "Reads the audit log for logins and sessions that would have been refused, had \"observe: true\" not let them in. Who\n" +
			"stands here needs a device, or an exemption, before observe becomes false.",
		Flags:  []cli.Flag{&cli.StringFlag{Name: "since", Usage: "in this `TIME` until now, such as 7d or 12h", Value: "7d"}},
		Action: func(c *cli.Context) error { return policyObservedAction(c, ui) },
	}
}

// observed is what policy observed --json prints of each user.
type observed struct {
	User     string         `json:"user"`  // "": names that no account has
	Count    int            `json:"count"` // logins and sessions
	Last     time.Time      `json:"last"`
	Services []string       `json:"services"`
	Reasons  []string       `json:"reasons"` // the most frequent first
	reasons  map[string]int // how often
}

func policyObservedAction(c *cli.Context, ui *ui) error {
	if err := noArguments(c); err != nil {
		return err
	}
	since, err := duration("since", c.String("since"))
	if err != nil {
		return err
	}
	h, err := openInForce(c, ui)
	if err != nil {
		return err
	}
	list, summed, err := h.observed(time.Now().Add(-since))
	if err != nil {
		return h.noLog(err)
	}
	if summed {
		ui.warn("there were more refusals in one minute than are recorded one by one: somebody may be missing here")
	}
	if h.policy.SwitchedOff(time.Now()) {
		ui.warn("twokey is switched off, so that nothing is observed: twokey enable")
	}
	if !h.policy.Observe {
		ui.warn("observe is false: logins are refused, and not only observed")
	}
	if len(list) == 0 {
		ui.say("Nobody would have been refused in this time.")
		return ui.object(list)
	}
	rows := [][]string{{"USER", "COUNT", "LAST", "SERVICES", "WHY"}}
	for _, o := range list {
		rows = append(rows, []string{or(o.User, "(unknown)"), fmt.Sprint(o.Count), o.Last.Local().Format("2006-01-02 15:04"),
			strings.Join(o.Services, ", "), firstFew(o.Reasons, "; ", 2)})
	}
	if err := ui.table(rows); err != nil {
		return err
	}
	return ui.object(list)
}

// observed reads the log from a moment on. It also tells whether records were summed, so that it cannot know of everybody. Who was
// observed most often comes first.
func (h *host) observed(since time.Time) (list []observed, summed bool, err error) {
	byUser := map[string]*observed{}
	err = audit.Read(h.path(h.policy.Paths.Audit), func(e audit.Entry) error {
		r := e.Record
		if r == nil || r.Time.Before(since) {
			return nil
		}
		summed = summed || r.Action == audit.ActionSummed
		if r.Action == audit.ActionObserved || r.Action == audit.ActionSession && r.Outcome == audit.Unknown {
			if byUser[r.User] == nil {
				byUser[r.User] = &observed{User: r.User, reasons: map[string]int{}}
			}
			byUser[r.User].add(r)
		}
		return nil
	})
	if err != nil {
		return nil, false, err
	}
	list = []observed{}
	for _, o := range byUser {
		o.finish()
		list = append(list, *o)
	}
	slices.SortFunc(list, func(a, b observed) int { return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.User, b.User)) })
	return list, summed, nil
}

// wouldHave begins the reason of what was only observed.
const wouldHave = "would have denied: "

func (o *observed) add(r *audit.Record) {
	o.Count++
	if r.Time.After(o.Last) {
		o.Last = r.Time
	}
	if !slices.Contains(o.Services, r.Service) {
		o.Services = append(o.Services, r.Service)
	}
	o.reasons[strings.TrimPrefix(r.Reason, wouldHave)]++
}

func (o *observed) finish() {
	slices.Sort(o.Services)
	o.Reasons = slices.SortedFunc(maps.Keys(o.reasons), func(a, b string) int {
		return cmp.Or(cmp.Compare(o.reasons[b], o.reasons[a]), strings.Compare(a, b))
	})
}
