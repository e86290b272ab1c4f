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
)

// imported is what import --json prints behind the list "users", of importedUser.
type imported struct {
	Changed bool             `json:"changed"`
	DryRun  bool             `json:"dry_run"`
	Notes   []string         `json:"notes,omitempty"`
	Wrong   []wrongImportRow `json:"wrong"` // rows that were not done
}

// wrongImportRow also says of which file: of several homes, or of tokens and their owners.
type wrongImportRow struct {
	wrongRow
	File string `json:"file,omitempty"`
}

type importedUser struct {
	User    string           `json:"user"`
	Changed bool             `json:"changed"`
	Devices []importedDevice `json:"devices"`
	There   []string         `json:"already_there"`    // devices that he had here
	Left    []string         `json:"not_carried_over"` // and what else there is to know
	Codes   []string         `json:"recovery_codes,omitempty"`
	Source  string           `json:"source,omitempty"` // a file of his
	Removed bool             `json:"source_removed"`
}

type importedDevice struct {
	Device    string `json:"device"`
	Method    string `json:"method"`
	Digits    int    `json:"digits"`
	Period    int    `json:"period"`
	Algorithm string `json:"algorithm"`
}

// run takes over who can be, and says so. Sources are removed when the devices are in force and recorded, not before: whoever is killed
// in between must not be without both.
func (m *moving) run() error {
	var todo []*batch.Plan
	whose := map[*batch.Plan]*mover{}
	for _, u := range m.movers {
		if u.plan != nil {
			todo = append(todo, u.plan)
			whose[u.plan] = u
		}
	}
	step, end := m.ui.progress("importing", len(todo))
	err := m.job.Run(todo, batch.Steps{Made: func([]*batch.Plan) {}, Ran: func(some []*batch.Plan) error {
		step(len(some))
		return m.ran(some, whose)
	}})
	end()
	if err != nil {
		return err
	}
	return m.tellDone()
}

// ran records what was done, removes the sources of it, and tells.
func (m *moving) ran(some []*batch.Plan, whose map[*batch.Plan]*mover) error {
	for _, p := range some {
		if u := whose[p]; p.Err != nil {
			u.fault = p.Err
			m.fail(u)
		}
	}
	if err := m.recordPlans(some); err != nil {
		return errors.Join(err, m.tellUntil(whose[some[len(some)-1]], false))
	}
	return m.tellUntil(whose[some[len(some)-1]], true)
}

// recordPlans writes an audit record for each user who was taken over, together.
func (m *moving) recordPlans(some []*batch.Plan) error {
	base := m.newRecord("import", "")
	base.Details = append(base.Details, audit.Detail{Key: "twokey.import_format", Value: string(m.format)})
	var all []audit.Record
	for _, p := range some {
		if len(p.Done) == 0 {
			continue
		}
		r := base
		r.Time, r.Target, r.TargetID, r.Changes = time.Now(), p.Account.Name, strconv.FormatUint(uint64(p.Account.UID), 10), p.Done
		if p.Err != nil {
			r.Reason = "only in part: " + oneLine(p.Err)
		}
		all = append(all, r)
	}
	if err := audit.AppendAll(m.path(m.policy.Paths.Audit), all); err != nil {
		return fmt.Errorf("%s taken over, but the audit log could not be written, and no source was removed: %w",
			rows(len(all), "user was", "users were"), err)
	}
	return nil
}

// tellUntil tells of the users up to this one, nil: of the rest, and removes their sources where that is safe and wished.
func (m *moving) tellUntil(last *mover, recorded bool) error {
	var users []any
	first := m.told
	for m.told < len(m.movers) {
		u := m.movers[m.told]
		m.told++
		if u.fault == nil {
			if recorded {
				m.removeSource(u)
			}
			out := m.outcome(u)
			if users = append(users, out); out.Changed {
				m.changed++
			}
			m.sayUser(out)
		}
		if u == last {
			break
		}
	}
	if err := errors.Join(m.recordRemoved(m.movers[first:m.told]), m.list.add(users)); err != nil {
		return err
	}
	return m.ui.failed
}

func (m *moving) outcome(u *mover) importedUser {
	out := importedUser{User: u.Name, Devices: []importedDevice{}, There: append([]string{}, u.there...), Left: append([]string{}, u.Left...),
		Removed: u.gone}
	if u.source != nil {
		out.Source = u.source.path
	}
	if u.plan == nil {
		return out
	}
	out.Changed = true
	for _, d := range u.Devices {
		out.Devices = append(out.Devices, importedDevice{d.Name, string(d.Method), d.Digits, d.Period, string(d.Algorithm)})
	}
	out.Codes = u.plan.Codes
	return out
}

// sayUser says what became of a user.
func (m *moving) sayUser(u importedUser) {
	verb := "imported"
	if m.dryRun {
		verb = "would be imported"
	}
	for _, d := range u.Devices {
		period := ""
		if d.Period > 0 {
			period = fmt.Sprintf(", every %d s", d.Period)
		}
		m.ui.say("%s: %s: %s (%s, %d digits%s, %s)", visible(u.User), verb, visible(d.Device), d.Method, d.Digits, period, d.Algorithm)
	}
	if len(u.There) > 0 {
		m.ui.say("%s: here already: %s", visible(u.User), visible(strings.Join(u.There, ", ")))
	}
	for _, text := range u.Left {
		m.ui.say("  note: %s", visible(text))
	}
	if u.Removed {
		m.ui.say("  removed: %s", visible(u.Source))
	}
	if len(u.Codes) > 0 {
		m.ui.say("  recovery codes:\n    %s", strings.Join(u.Codes, "\n    "))
	}
}

func (m *moving) tellPlan() error {
	if err := m.tellUntil(nil, false); err != nil {
		return err
	}
	return m.tellRest("would be imported")
}

func (m *moving) tellDone() error {
	if err := m.tellUntil(nil, true); err != nil {
		return err
	}
	return m.tellRest("imported")
}

func (m *moving) tellRest(verb string) error {
	for _, note := range m.notes {
		m.ui.say("%s", visible(note))
	}
	there := 0
	for _, u := range m.movers {
		if u.fault == nil && u.plan == nil {
			there++
		}
	}
	m.ui.say("%s %s, %d here already.", rows(m.changed, "user", "users"), verb, there)
	slices.SortStableFunc(m.wrong, func(a, b error) int {
		left, right := wrongRowOf(a), wrongRowOf(b)
		return cmp.Or(cmp.Compare(left.File, right.File), left.Line-right.Line)
	})
	m.ui.faults(m.wrong)
	r := imported{Changed: m.changed > 0 && !m.dryRun, DryRun: m.dryRun, Notes: m.notes, Wrong: []wrongImportRow{}}
	for _, err := range m.wrong {
		r.Wrong = append(r.Wrong, wrongRowOf(err))
	}
	if err := m.list.end(r); err != nil {
		return err
	}
	if len(m.wrong) > 0 {
		return failed("%s not imported", rows(len(m.wrong), "row was", "rows were"))
	}
	return nil
}

func wrongRowOf(err error) wrongImportRow {
	var row *batch.RowError
	var who *aboutUser
	switch {
	case errors.As(err, &row):
		return wrongImportRow{wrongRow{User: row.Name, Line: row.Line, Error: oneLine(row.Err)}, row.File}
	case errors.As(err, &who):
		return wrongImportRow{wrongRow: wrongRow{User: who.user, Error: oneLine(who.err)}}
	}
	return wrongImportRow{wrongRow: wrongRow{Error: oneLine(err)}}
}
