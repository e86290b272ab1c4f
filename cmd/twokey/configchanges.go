package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"twokey/audit"
	"twokey/policy"
)

// What the audit log keeps of an edit of the configuration.

// mostSettings is how many settings are told one by one: the digests and lines of the difference stand behind them, and a record has
// room for 16 changes.
const mostSettings = 6

// changes are what the edit changes, for the audit log: by its meaning, the digests of the file before and after, and line by line.
func (e *configEdit) changes() []audit.Change {
	var all []audit.Change
	for _, s := range policy.ChangedSettings(e.was, e.is) {
		switch s.Key {
		case "require":
			all = append(all, changedEntries(s.Key, e.was.Require, e.is.Require)...)
		case "exempt":
			all = append(all, changedEntries(s.Key, e.was.Exempt, e.is.Exempt)...)
		default:
			all = append(all, audit.Change{Field: s.Key, Old: s.Old, New: s.New})
		}
	}
	if more := len(all) - mostSettings; more > 0 {
		all = append(all[:mostSettings], audit.Change{Field: "settings", New: fmt.Sprintf("%d more", more)})
	}
	if e.isSwitch && e.was.ManagedBy != "" {
		all = append(all, audit.Change{Field: "managed_by", New: e.was.ManagedBy + ", edited all the same"})
	}
	return append(append(all, e.digests()...), hunks(diffLines(textLines(e.before), textLines(e.after)))...)
}

func changedEntries(list string, was, is []policy.Entry) []audit.Change {
	var all []audit.Change
	before, after := entryTexts(was), entryTexts(is)
	for _, entry := range missing(before, after) {
		all = append(all, audit.Change{Field: list, Old: entry})
	}
	for _, entry := range missing(after, before) {
		all = append(all, audit.Change{Field: list, New: entry})
	}
	return all
}

// digestField is the change of the file's digest.
const digestField = "sha256"

// digests tie the record to the files. The compiled policy is new, so that no login will see a change by hand that came before:
// it is told here.
func (e *configEdit) digests() []audit.Change {
	before, after := sha256.Sum256(e.before), sha256.Sum256(e.after)
	changes := []audit.Change{{Field: digestField, Old: hex.EncodeToString(before[:]), New: hex.EncodeToString(after[:])}}
	if e.lastSeen != [sha256.Size]byte{} && e.lastSeen != before {
		changes = append(changes, audit.Change{Field: "sha256 before, by hand", Old: hex.EncodeToString(e.lastSeen[:]), New: hex.EncodeToString(before[:])})
	}
	return changes
}

// hunkMark begins the name of a change that is lines of a file.
const hunkMark = "@@"

// hunks are the difference as diff -U0 has it, one change each: the lines that went and the lines that came under their place. The log
// cuts what is longer than its texts, and says so.
func hunks(edits []edit) []audit.Change {
	var all []audit.Change
	old, new := 1, 1 // numbers of the next lines
	for i := 0; i < len(edits); {
		if edits[i].kind == ' ' {
			old, new, i = old+1, new+1, i+1
			continue
		}
		var gone, came []string
		for ; i < len(edits) && edits[i].kind != ' '; i++ {
			line := strings.TrimSuffix(edits[i].line, "\n")
			if edits[i].kind == '-' {
				gone = append(gone, line)
			} else {
				came = append(came, line)
			}
		}
		place := fmt.Sprintf(hunkMark+" -%s +%s @@", lineRange(old, len(gone)), lineRange(new, len(came)))
		all = append(all, audit.Change{Field: place, Old: strings.Join(gone, "\n"), New: strings.Join(came, "\n")})
		old, new = old+len(gone), new+len(came)
	}
	return all
}

// lineRange is how diff(1) writes where lines stand: without lines, behind which one.
func lineRange(first, count int) string {
	switch count {
	case 0:
		return fmt.Sprintf("%d,0", first-1)
	case 1:
		return fmt.Sprint(first)
	}
	return fmt.Sprintf("%d,%d", first, count)
}

// missing are the texts that the other list does not have as often.
func missing(from, in []string) []string {
	left := map[string]int{}
	for _, text := range in {
		left[text]++
	}
	var found []string
	for _, text := range from {
		if left[text]--; left[text] < 0 {
			found = append(found, text)
		}
	}
	return found
}

// entryTexts are entries on one line each.
func entryTexts(entries []policy.Entry) []string {
	var texts []string
	for _, e := range entries {
		texts = append(texts, entryText(e))
	}
	return texts
}

// entryText is an entry on one line: "groups wheel, users alice, services sshd, by 2026-12-31"; "" when there is nothing in it.
func entryText(e policy.Entry) string {
	var parts []string
	list := func(kind string, names []string) {
		if len(names) > 0 {
			parts = append(parts, kind+" "+strings.Join(names, " "))
		}
	}
	list("groups", e.Groups)
	list("users", e.Users)
	if e.SystemAccounts {
		parts = append(parts, "system accounts")
	}
	list("services", e.Services)
	list("from", e.From)
	for _, date := range []struct {
		word string
		day  policy.Date
	}{{"starts", e.Starts}, {"by", e.By}, {"until", e.Until}} {
		if !date.day.IsZero() {
			parts = append(parts, date.word+" "+date.day.String())
		}
	}
	return strings.Join(parts, ", ")
}

// firstFew names the first few and counts the others.
func firstFew(texts []string, between string, most int) string {
	if len(texts) <= most {
		return strings.Join(texts, between)
	}
	return fmt.Sprintf("%s and %s", strings.Join(texts[:most], between), count(len(texts)-most, "other"))
}
