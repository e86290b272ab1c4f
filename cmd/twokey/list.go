package main

import (
	"errors"
	"iter"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"twokey/policy"
	"twokey/state"
)

func listCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:  "list",
		Usage: "who has a second factor, by which method, under which policy, last used",
		Description: "Lists the accounts with a login shell, and whoever else is enrolled or required. Filters can be joined.\n" +
			"2FA is \"pending\" for a user who was reset and has to enrol before he gets in again, \"code\" for one to whom an enrolment\n" +
			"code is open, and \"expired\" where the time of all devices is over. POLICY is what counts for a\n" +
			"login now, from nowhere in particular: policy explain has the rest. LOGIN is how the last logins came in, of the\n" +
			"newest 10000 records of the audit log.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "missing", Usage: "only who is required and has no device"},
			&cli.BoolFlag{Name: "required", Usage: "only who is required"},
			&cli.BoolFlag{Name: "throttled", Usage: "only whose attempts are used up"},
			&cli.BoolFlag{Name: "expired", Usage: "only who has a device whose time is over"},
			&cli.StringFlag{Name: "unused", Usage: "only who has a device and has not used it for `TIME`, such as 90d"},
			&cli.StringFlag{Name: "method", Usage: "only who has a device of this `METHOD`"},
			&cli.BoolFlag{Name: "csv", Usage: "print comma-separated values, with full name and mail address (mail: {to: …})"},
		},
		Action: func(c *cli.Context) error { return listAction(c, ui) },
	}
}

func listAction(c *cli.Context, ui *ui) error {
	if err := noArguments(c); err != nil {
		return err
	}
	f, err := filterOf(c)
	if err != nil {
		return err
	}
	h, u, err := openUsersInForce(c, ui)
	if err != nil {
		return err
	}
	debug.SetGCPercent(listGarbage)
	people, err := h.people(u)
	if err != nil {
		return err
	}
	h.warnOff()
	h.addLogins(people)
	now := time.Now()
	people = slices.DeleteFunc(people, func(p person) bool { return h.untouchable(p.account) != "" || !f.keeps(&p, now) })
	return errors.Join(h.list(people, now, c.Bool("csv")), problems(people))
}

// listGarbage is how much garbage, in percent of what is kept, list lets lie: it keeps all users, a hundred thousand of them in about
// 100 MB, and would else take twice that.
const listGarbage = 50

// filter keeps whoever all of its conditions hold for.
type filter struct {
	missing, required, throttled bool
	expired                      bool
	unused                       time.Duration // 0: whoever
	method                       string        // "": whichever
}

func filterOf(c *cli.Context) (filter, error) {
	f := filter{missing: c.Bool("missing"), required: c.Bool("required"), throttled: c.Bool("throttled"),
		expired: c.Bool("expired"), method: c.String("method")}
	var err error
	if c.IsSet("unused") {
		if f.unused, err = duration("unused", c.String("unused")); err != nil {
			return filter{}, err
		}
	}
	if c.IsSet("method") && !slices.Contains(policy.Methods(), f.method) {
		return filter{}, badUsage("--method: there is no method %q", f.method).hint("the methods are %s", strings.Join(policy.Methods(), ", "))
	}
	if c.Bool("csv") && c.Bool("json") {
		return filter{}, badUsage("--csv and --json are two different things")
	}
	return f, nil
}

func (f filter) keeps(p *person, now time.Time) bool {
	switch {
	case f.missing && (p.enrolled || !p.required() && !p.mustEnroll()),
		f.required && !p.required(),
		f.throttled && !p.throttled(now),
		f.expired && !slices.ContainsFunc(p.devices(), func(d state.Device) bool { return expired(d.Until, now) }),
		f.unused > 0 && (len(p.devices()) == 0 || slices.ContainsFunc(p.devices(), func(d state.Device) bool { return inUse(d, now, f.unused) })),
		f.method != "" && !slices.ContainsFunc(p.devices(), func(d state.Device) bool { return d.Method == f.method }):
		return false
	}
	return true
}

// inUse counts a device as used when it was made.
func inUse(d state.Device, now time.Time, within time.Duration) bool {
	last := d.Used
	if last.IsZero() {
		last = d.Created
	}
	return now.Sub(last) < within
}

// listed is what list --json prints of each user.
type listed struct {
	User      string         `json:"user"`
	Enrolled  bool           `json:"enrolled"`
	Policy    string         `json:"policy"`
	Devices   []listedDevice `json:"devices"`
	Throttled bool           `json:"throttled"`
	Pending   bool           `json:"pending"`              // reset, and not enrolled since
	CodeUntil *time.Time     `json:"enrolment_code_until"` // null: none is open
	FullName  string         `json:"full_name"`
	Mail      string         `json:"mail"` // "": no address is configured
	Logins    []cameIn       `json:"logins"`
}

type listedDevice struct {
	Name     string     `json:"name"`
	Method   string     `json:"method"`
	Created  *time.Time `json:"created"`
	LastUsed *time.Time `json:"last_used"` // null: never
	LastFrom string     `json:"last_from"`
	Until    *time.Time `json:"until"` // the first moment at which it is not good any more; null: it has no end
	Expired  bool       `json:"expired"`
}

func (h *host) list(people []person, now time.Time, csv bool) error {
	switch {
	case h.ui.json:
		return printArray(h.ui, people, func(p *person) any { return p.listed(h.mailAddress(p.name), now) })
	case csv:
		return h.ui.csv(h.csvRows(people, now))
	case len(people) == 0:
		h.ui.say("Nobody.")
		return nil
	}
	rows := [][]string{{"USER", "2FA", "METHOD", "POLICY", "LAST USED", "FROM", "LOGIN"}}
	sign := h.ui.utf8()
	for _, p := range people {
		row := p.row(now)
		if sign && p.enrolled {
			row[1] = "⚿ " + row[1]
		}
		for i, cell := range row {
			row[i] = or(cell, "-")
		}
		rows = append(rows, row)
	}
	return h.ui.table(rows)
}

// csvRows have what the table has, and how to reach the people. They are made while they are printed.
func (h *host) csvRows(people []person, now time.Time) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		more := yield([]string{"USER", "FULL NAME", "MAIL", "2FA", "METHOD", "POLICY", "LAST USED", "FROM", "LOGIN"})
		for i := 0; more && i < len(people); i++ {
			row := people[i].row(now)
			more = yield(slices.Concat(row[:1], []string{people[i].fullName(), h.mailAddress(people[i].name)}, row[1:]))
		}
	}
}

// mailAddress is where remind writes to; "" when no address is configured.
func (h *host) mailAddress(user string) string {
	return strings.ReplaceAll(h.policy.Mail.To, "%USER%", user)
}

func (p *person) listed(mail string, now time.Time) listed {
	l := listed{User: p.name, Enrolled: p.enrolled, Policy: p.policy(), Devices: []listedDevice{}, Throttled: p.throttled(now),
		Pending: p.mustEnroll(), CodeUntil: p.code, FullName: p.fullName(), Mail: mail, Logins: append([]cameIn{}, p.logins...)}
	for _, d := range p.devices() {
		l.Devices = append(l.Devices, listedDevice{d.Name, d.Method, timeOrNull(d.Created), timeOrNull(d.Used), d.From, timeOrNull(d.Until), expired(d.Until, now)})
	}
	return l
}

func timeOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Second)
	return &t
}

// row is the user's line of the table; what there is not is "".
func (p *person) row(now time.Time) []string {
	factor := "no"
	switch {
	case p.problem != nil:
		factor = "damaged"
	case p.expired(now):
		factor = "expired"
	case p.enrolled:
		factor = "yes"
	case p.mustEnroll():
		factor = "pending"
	}
	if p.code != nil {
		factor += ", code"
	}
	if p.throttled(now) {
		factor += ", throttled"
	}
	var methods []string
	for _, d := range p.devices() {
		methods = append(methods, d.Method)
	}
	method, used, from := strings.Join(methods, ", "), "", ""
	if p.enrolled {
		method, used = or(method, "?"), "never" // "?": a file that no login and no command has looked at yet
	}
	if last, ever := p.lastUsed(); ever {
		used, from = last.Used.Local().Format("2006-01-02 15:04"), last.From
	}
	return []string{p.name, factor, method, p.policy(), used, from, loginsText(p.logins)}
}

// problems are the states that could not be read; the others are listed all the same.
func problems(people []person) error {
	var all []error
	for _, p := range people {
		all = append(all, about(p.name, p.problem))
	}
	return errors.Join(all...)
}
