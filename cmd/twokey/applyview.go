package main

import (
	"cmp"
	"errors"
	"slices"

	"twokey/enroll/batch"
)

// applied is what apply --json prints behind the list "users", of appliedUser.
type applied struct {
	Changed bool       `json:"changed"`                  // something was, or with --check would be
	Policy  *edited    `json:"policy,omitempty"`         // where it is another one
	Left    int        `json:"left,omitempty"`           // users who are to change, beyond --limit
	Without int        `json:"without_device,omitempty"` // people whom the file requires, who have no device when it is done
	Waiting []string   `json:"waiting,omitempty"`        // groups that nobody requires yet, since some of their members are to be done first
	Wrong   []wrongRow `json:"wrong"`                    // rows that were not done
}

type appliedUser struct {
	User    string        `json:"user"`
	Changed bool          `json:"changed"`
	Diff    []fieldChange `json:"diff"`
}

type fieldChange struct {
	Field string `json:"field"`
	Old   string `json:"old"`
	New   string `json:"new"`
}

type wrongRow struct {
	User  string `json:"user"` // or group; "": it cannot be told
	Line  int    `json:"line"`
	Error string `json:"error"`
}

// toldTogether is how many users are printed in one piece.
const toldTogether = 500

// tellUsers tells of all that were planned, when it is known what the policy has become.
func (a *application) tellUsers(lists *configEdit) error {
	if a.show {
		a.list.next("users")
	}
	entries := entryChanges(lists)
	for some := range slices.Chunk(a.plans, toldTogether) {
		var users []any
		for _, p := range some {
			u := a.outcome(p, entries)
			if u.Changed {
				a.changed++
			}
			if users = append(users, u); a.diff && u.Changed {
				a.sayUser(u)
			}
		}
		if err := a.list.add(users); err != nil {
			return err
		}
	}
	return a.ui.failed
}

// outcome is what was, or with --check would be, changed about a user, and in the lists of the policy on his account.
func (a *application) outcome(p *batch.Plan, entries func(user string) []fieldChange) appliedUser {
	u := appliedUser{User: p.User.Name, Diff: []fieldChange{}}
	changes := p.Done
	if a.looksOnly() && p.Err == nil {
		changes = p.Changes
	}
	for _, c := range changes {
		u.Diff = append(u.Diff, fieldChange(c))
	}
	if p.User.Require != nil || p.User.Exempt != nil || p.User.Absent {
		u.Diff = append(u.Diff, entries(p.User.Name)...)
	}
	u.Changed = len(u.Diff) > 0
	return u
}

// sayUser says with --diff what was changed.
func (a *application) sayUser(u appliedUser) {
	a.ui.say("%s", visible(u.User))
	for _, c := range u.Diff {
		switch {
		case c.Old == "":
			a.ui.say("  + %s: %s", visible(c.Field), visible(c.New))
		case c.New == "":
			a.ui.say("  - %s: %s", visible(c.Field), visible(c.Old))
		default:
			a.ui.say("  ~ %s: %s -> %s", visible(c.Field), visible(c.Old), visible(c.New))
		}
	}
}

// tellPlan says what would be done.
func (a *application) tellPlan() error {
	if err := a.tellUsers(a.lists); err != nil {
		return err
	}
	r := applied{}
	if !a.lists.empty() {
		r.Policy = &edited{Changed: true, DryRun: true, Diff: a.lists.diff()}
	}
	if err := a.tellRest(r, "would change"); err != nil {
		return err
	}
	if wrong := a.faults(); len(wrong) > 0 {
		return withAdvice(failed("%s wrong", rows(len(wrong), "row is", "rows are")), wrong)
	}
	if (a.changed > 0 || r.Policy != nil) && a.check {
		return errSilent
	}
	return nil
}

// tellDone says what was done. Of what could not be done the errors are told all the same.
func (a *application) tellDone(policy *edited) error {
	var lists *configEdit
	if policy != nil {
		lists = a.lists
	}
	if err := a.tellUsers(lists); err != nil {
		return err
	}
	without, err := a.withoutDevice()
	if err != nil {
		return err
	}
	if err := a.tellRest(applied{Policy: policy, Without: without}, "changed"); err != nil {
		return err
	}
	if wrong := a.faults(); len(wrong) > 0 {
		return withAdvice(failed("%s not done", rows(len(wrong), "row was", "rows were")), wrong)
	}
	return nil
}

func (a *application) tellRest(r applied, verb string) error {
	r.Changed, r.Left, r.Waiting, r.Wrong = a.changed > 0 || r.Policy != nil, a.left, a.waiting, []wrongRow{}
	if r.Policy != nil {
		a.ui.lines(r.Policy.Diff)
	}
	a.ui.say("Of %s %d %s%s.", rows(len(a.plans), "user", "users"), a.changed, verb, leftText(a.left))
	if r.Without > 0 {
		a.ui.say("%s required and without a device: twokey enroll --code makes codes with which people enrol at a login.",
			rows(r.Without, "person is", "people are"))
	}
	for _, group := range a.waiting {
		a.ui.say("Nobody is required by the row of %s yet: some of its members are still to be done.", visible(group))
	}
	if a.sheetDir != nil && a.changed > 0 {
		a.ui.say("The pages in %s are the secrets: delete them when they have been handed over.", visible(a.sheets))
	}
	wrong := a.faults()
	a.ui.faults(wrong)
	for _, err := range wrong {
		row := wrongRow{Error: oneLine(err)}
		var known *batch.RowError
		if errors.As(err, &known) {
			row = wrongRow{known.Name, known.Line, oneLine(known.Err)}
		}
		r.Wrong = append(r.Wrong, row)
	}
	return a.list.end(r)
}

// faults are all rows that cannot be done or were not, found out at different times, in the order of the file.
func (a *application) faults() []error {
	line := func(err error) int {
		var row *batch.RowError
		if errors.As(err, &row) {
			return row.Line
		}
		return 0
	}
	all := slices.Concat(a.wrong, a.unmet)
	slices.SortStableFunc(all, func(x, y error) int { return cmp.Compare(line(x), line(y)) })
	return all
}

func leftText(n int) string {
	if n == 0 {
		return ""
	}
	return ", and " + rows(n, "more is", "more are") + " left for the next time"
}
