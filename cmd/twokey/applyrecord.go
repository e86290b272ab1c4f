package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"twokey/audit"
	"twokey/enroll/batch"
)

// actionApplyBegins is the action of records that name users who are about to be changed: whoever ends the program before it has recorded
// what it did leaves them. Each change of such a record is a list of names.
const (
	actionApplyBegins = "apply-begins"
	fieldUsers        = "users"
)

// Of one record, as the log keeps it whole.
const (
	namesTogether = 256 // bytes of one list
	namesSeparate = ", "
	listsTogether = 16
)

// recordBegin names those who are about to be changed in the audit log. Where it cannot be written nobody is.
//
// Attack: fill the log's disk, or have the program killed, and a batch leaves no record for ever, since a second run has nothing to do.
func (a *application) recordBegin(some []*batch.Plan) {
	var names []string
	for _, p := range some {
		if p.Err == nil && len(p.Changes) > 0 {
			names = append(names, p.User.Name)
		}
	}
	var all []audit.Record
	for lists := range slices.Chunk(nameLists(names), listsTogether) {
		r := a.newRecord(actionApplyBegins, "")
		r.Outcome = audit.Unknown
		for _, list := range lists {
			r.Changes = append(r.Changes, audit.Change{Field: fieldUsers, New: list})
		}
		all = append(all, r)
	}
	err := audit.AppendAll(a.path(a.policy.Paths.Audit), all)
	for _, p := range some {
		if p.Err == nil && err != nil {
			p.Err = fmt.Errorf("%w: the audit log could not be written: %w", errStopped, err)
		}
	}
}

// nameLists joins names to texts that the log does not cut.
func nameLists(names []string) []string {
	var lists []string
	for _, name := range names {
		last := len(lists) - 1
		if last >= 0 && len(lists[last])+len(namesSeparate)+len(name) <= namesTogether {
			lists[last] += namesSeparate + name
		} else {
			lists = append(lists, name)
		}
	}
	return lists
}

// beginsWith reports whether a record names the user as one who was about to be changed.
func beginsWith(r *audit.Record, user string) bool {
	return r.Action == actionApplyBegins && slices.ContainsFunc(r.Changes, func(c audit.Change) bool {
		return c.Field == fieldUsers && slices.Contains(strings.Split(c.New, namesSeparate), user)
	})
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
