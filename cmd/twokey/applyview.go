package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"twokey/audit"
	"twokey/enroll/batch"
	"twokey/factor"
)

// applied is what apply --json prints behind the list "users", of appliedUser: a hundred thousand users with their secrets are printed
// while they are made, and kept nowhere.
type applied struct {
	Changed bool       `json:"changed"`                  // something was, or with --check would be
	Policy  *edited    `json:"policy,omitempty"`         // where it is another one
	Left    int        `json:"left,omitempty"`           // users who are to change, beyond --limit
	Without int        `json:"without_device,omitempty"` // people whom the file requires, who have no device when it is done
	Wrong   []wrongRow `json:"wrong"`                    // rows that were not done
}

type appliedUser struct {
	User    string        `json:"user"`
	Changed bool          `json:"changed"`
	Diff    []fieldChange `json:"diff"`
	*newSecrets
}

type fieldChange struct {
	Field string `json:"field"`
	Old   string `json:"old"`
	New   string `json:"new"`
}

// newSecrets are what was made for a user, with --show-secrets.
type newSecrets struct {
	Devices []madeDevice `json:"devices"`
	Codes   []string     `json:"recovery_codes"`
}

type madeDevice struct {
	Device    string `json:"device"`
	Method    string `json:"method"`
	Secret    string `json:"secret"`
	URI       string `json:"uri"`
	Digits    int    `json:"digits"`
	Period    int    `json:"period"`
	Algorithm string `json:"algorithm"`
}

type wrongRow struct {
	User  string `json:"user"` // or group; "": it cannot be told
	Line  int    `json:"line"`
	Error string `json:"error"`
}

// tellUsers tells of the plans up to this one, and of those without anything to do that stand between them; nil: of the rest.
func (a *application) tellUsers(last *batch.Plan) error {
	var users []any
	for a.told < len(a.plans) {
		p := a.plans[a.told]
		a.told++
		u := a.outcome(p)
		if u.Changed {
			a.changed++
		}
		if users = append(users, u); !a.ui.json && u.Changed {
			a.sayUser(u)
		}
		if p == last {
			break
		}
	}
	if err := a.list.add(users); err != nil {
		return err
	}
	return a.ui.failed
}

// outcome is what was, or with --check would be, changed about a user.
func (a *application) outcome(p *batch.Plan) appliedUser {
	u := appliedUser{User: p.User.Name, Diff: []fieldChange{}}
	changes := p.Done
	if (a.check || a.dryRun) && p.Err == nil {
		changes = p.Changes
	}
	for _, c := range changes {
		u.Changed = true
		u.Diff = append(u.Diff, fieldChange(c))
	}
	if a.show && len(p.Done) > 0 && len(p.Drafts)+len(p.Codes) > 0 {
		u.newSecrets = &newSecrets{Devices: []madeDevice{}, Codes: append([]string{}, p.Codes...)}
		for _, made := range p.Drafts {
			d := made.Device
			u.Devices = append(u.Devices, madeDevice{d.Name, d.Method, factor.EncodeSecret(d.Secret), made.URI, d.Digits, d.Period, d.Algorithm})
		}
	}
	return u
}

// sayUser says with --diff what was changed, and with --show-secrets what was made.
func (a *application) sayUser(u appliedUser) {
	if a.diff {
		a.ui.say("%s", visible(u.User))
	}
	for _, c := range u.Diff {
		switch {
		case !a.diff:
		case c.Old == "":
			a.ui.say("  + %s: %s", visible(c.Field), visible(c.New))
		case c.New == "":
			a.ui.say("  - %s: %s", visible(c.Field), visible(c.Old))
		default:
			a.ui.say("  ~ %s: %s -> %s", visible(c.Field), visible(c.Old), visible(c.New))
		}
	}
	if u.newSecrets == nil {
		return
	}
	for _, d := range u.Devices {
		a.ui.say("%s, device %s\n  Key      %s\n  Address  %s", visible(u.User), visible(d.Device), factor.GroupSecret(d.Secret), d.URI)
	}
	if len(u.Codes) > 0 {
		a.ui.say("%s, recovery codes\n  %s", visible(u.User), strings.Join(u.Codes, "\n  "))
	}
}

// tellPlan says what would be done.
func (a *application) tellPlan() error {
	if err := a.tellUsers(nil); err != nil {
		return err
	}
	r := applied{}
	if !a.lists.empty() {
		r.Policy = &edited{Changed: true, DryRun: true, Diff: a.lists.diff()}
	}
	if err := a.tellRest(r, "would change"); err != nil {
		return err
	}
	if len(a.wrong) > 0 {
		return failed("%s wrong", rows(len(a.wrong), "row is", "rows are"))
	}
	if (a.changed > 0 || r.Policy != nil) && a.check {
		return errSilent
	}
	return nil
}

// tellDone says what was done. Of what could not be done the errors are told all the same.
func (a *application) tellDone(policy *edited) error {
	if err := a.tellUsers(nil); err != nil {
		return err
	}
	without, err := a.withoutDevice()
	if err != nil {
		return err
	}
	if err := a.tellRest(applied{Policy: policy, Without: without}, "changed"); err != nil {
		return err
	}
	if len(a.wrong) > 0 {
		return failed("%s not done", rows(len(a.wrong), "row was", "rows were"))
	}
	return nil
}

func (a *application) tellRest(r applied, verb string) error {
	r.Changed, r.Left, r.Wrong = a.changed > 0 || r.Policy != nil, a.left, []wrongRow{}
	if r.Policy != nil {
		a.ui.lines(r.Policy.Diff)
	}
	a.ui.say("Of %s %d %s%s.", rows(len(a.plans), "user", "users"), a.changed, verb, leftText(a.left))
	if r.Without > 0 {
		a.ui.say("%s required and without a device: twokey enroll --code makes codes with which people enrol at a login.",
			rows(r.Without, "person is", "people are"))
	}
	if a.sheetDir != nil && a.changed > 0 {
		a.ui.say("The pages in %s are the secrets: delete them when they have been handed over.", visible(a.sheets))
	}
	a.sortWrong()
	a.ui.faults(a.wrong)
	for _, err := range a.wrong {
		row := wrongRow{Error: oneLine(err)}
		var known *batch.RowError
		if errors.As(err, &known) {
			row = wrongRow{known.Name, known.Line, oneLine(known.Err)}
		}
		r.Wrong = append(r.Wrong, row)
	}
	return a.list.end(r)
}

// sortWrong brings what was found out at different times into the order of the file.
func (a *application) sortWrong() {
	line := func(err error) int {
		var row *batch.RowError
		if errors.As(err, &row) {
			return row.Line
		}
		return 0
	}
	slices.SortStableFunc(a.wrong, func(x, y error) int { return cmp.Compare(line(x), line(y)) })
}

func leftText(n int) string {
	if n == 0 {
		return ""
	}
	return ", and " + rows(n, "more is", "more are") + " left for the next time"
}

// recordPlans writes an audit record for each user about whom something was changed, together.
func (a *application) recordPlans(some []*batch.Plan) error {
	base := a.newRecord("apply", "")
	var all []audit.Record
	for _, p := range some {
		if len(p.Done) == 0 {
			continue
		}
		r := base
		r.Time, r.Target, r.Changes = time.Now(), p.User.Name, loggedChanges(p.Done)
		if p.Account.Name != "" {
			r.TargetID = strconv.FormatUint(uint64(p.Account.UID), 10)
		}
		if p.Err != nil {
			r.Reason = "only in part: " + oneLine(p.Err)
		}
		all = append(all, r)
	}
	if err := audit.AppendAll(a.path(a.policy.Paths.Audit), all); err != nil {
		return fmt.Errorf("%s changed, but the audit log could not be written: %w", rows(len(all), "user was", "users were"), err)
	}
	return nil
}

// loggedChanges are changes as the log keeps them: of telephone numbers the last digits, since the log is for more eyes than the users' files.
func loggedChanges(changes []audit.Change) []audit.Change {
	shown := slices.Clone(changes)
	for i, c := range shown {
		if c.Field != batch.PhoneField {
			continue
		}
		for _, number := range []*string{&shown[i].Old, &shown[i].New} {
			if *number != "" {
				*number = lastDigits(*number)
			}
		}
	}
	return shown
}
