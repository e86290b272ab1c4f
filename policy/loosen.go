package policy

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
)

// Loosened names everything by which somebody may get in with less than before, one
// clause each, or nothing. A setting of which this cannot be told by its direction,
// such as rules, counts as soon as it is another: it is better asked about once too
// often. Texts and who edits the file let nobody in.
func Loosened(was, is *Config) []string {
	found := append(requiredLess(was, is), exemptMore(was, is)...)
	before, after := was.settingTexts(), is.settingTexts()
	for _, key := range changedKeys(before, after) {
		if !lets(key, was, is) {
			continue
		}
		found = append(found, fmt.Sprintf("%s: %s", key, fromTo(before[key], after[key])))
	}
	return found
}

// fromTo writes a change; "" is a key that is not there.
func fromTo(old, new string) string {
	switch {
	case old == "":
		return new
	case new == "":
		return "no longer " + old
	}
	return old + " → " + new
}

// settingTexts are the settings with all defaults filled in.
func (c *Config) settingTexts() map[string]string {
	_, line, _ := bytes.Cut(c.Compile([sha256.Size]byte{}), []byte("\n"))
	texts := map[string]string{}
	list, err := Settings(line)
	if err != nil {
		texts["configuration"] = fmt.Sprintf("%x", sha256.Sum256(line)) // one that no file has: it differs from every other
	}
	for _, s := range list {
		texts[s.Key] = s.Text
	}
	return texts
}

// changedKeys are sorted.
func changedKeys(before, after map[string]string) []string {
	var keys []string
	for key := range before {
		if after[key] != before[key] {
			keys = append(keys, key)
		}
	}
	for key := range after {
		if _, both := before[key]; !both && after[key] != "" {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// lets reports whether a setting that is another than before may let somebody in
// with less.
func lets(key string, was, is *Config) bool {
	switch key {
	case "require", "exempt": // requiredLess and exemptMore know them better
		return false
	case "methods_default", "language", "issuer", "contact", "help_url", "enroll.notice", "managed_by",
		"mail.server", "mail.from", "mail.to", "mail.user", "mail.password_file":
		return false
	case "enabled":
		return is.Off
	case "off_until":
		return is.OffUntil.After(was.OffUntil)
	case "observe":
		return is.Observe
	case "default":
		return is.Default > was.Default
	case "new_devices.digits":
		return is.NewDevices.Digits < was.NewDevices.Digits
	case "discrepancy":
		return is.Discrepancy > was.Discrepancy
	case "remember":
		return is.Remember > was.Remember
	case "open_within":
		return is.OpenWithin > was.OpenWithin
	case "ssh_keys_alone":
		return is.SSHKeysAlone == KeysAccept
	case "on_fault":
		return is.OnFault != FaultDeny
	case "enroll.at_login":
		return is.enrolsWithLess() > was.enrolsWithLess()
	case "bypass.requesters":
		return was.Bypass.Requesters.lacks(is.Bypass.Requesters)
	case "bypass.longest":
		return is.Bypass.Longest > was.Bypass.Longest
	case "roles.helpdesk":
		return was.Roles.Helpdesk.lacks(is.Roles.Helpdesk)
	case "roles.auditor":
		return was.Roles.Auditor.lacks(is.Roles.Auditor)
	case "roles.protected":
		return is.Roles.Protected.lacks(was.Roles.Protected)
	case "provisioners":
		return !within(is.Provisioners, was.Provisioners)
	}
	switch above, below, _ := strings.Cut(key, "."); above {
	case "messages":
		return false
	case "sms":
		return smsLets(below, was.SMS, is.SMS)
	case "push":
		return pushLets(below, was.Push, is.Push)
	}
	return true
}

// requiredLess names whom require no longer names as widely or as strictly.
func requiredLess(was, is *Config) []string {
	var found []string
	for _, old := range was.Require {
		for _, s := range old.about() {
			if !slices.ContainsFunc(is.Require, func(e Entry) bool { return e.requiresAsMuch(old, s) }) {
				found = append(found, "not required as before: "+flowEntry(old.only([]subject{s})))
			}
		}
	}
	for i, e := range is.Require {
		if slices.ContainsFunc(was.Require, func(old Entry) bool { return sameEntry(old, e) }) {
			continue
		}
		before := slices.ContainsFunc(is.Require[i+1:], func(later Entry) bool {
			return slices.ContainsFunc(was.Require, func(old Entry) bool { return sameEntry(old, later) })
		})
		// An entry that lets in until a day decides before those behind it, and before the default.
		if !e.By.IsZero() && (before || was.Default == Required) || was.Default == Deny {
			found = append(found, "let in without a device: "+flowEntry(e))
		}
	}
	return found
}

// requiresAsMuch reports whether the entry asks as much of a subject as another one did.
func (e Entry) requiresAsMuch(old Entry, s subject) bool {
	asStrict := e.By.IsZero() || !old.By.IsZero() && !old.By.Before(e.By)
	return slices.Contains(e.about(), s) && placeCovers(e, old) && periodCovers(e, old) && asStrict
}

// exemptMore names who is exempt and was not, or not as widely.
func exemptMore(was, is *Config) []string {
	var found []string
	for _, e := range is.Exempt {
		for _, s := range e.about() {
			if !slices.ContainsFunc(was.Exempt, func(old Entry) bool {
				return slices.Contains(old.about(), s) && placeCovers(old, e) && periodCovers(old, e)
			}) {
				found = append(found, "exempt: "+flowEntry(e.only([]subject{s})))
			}
		}
	}
	return found
}

// ChangedSettings names the settings that two policies have otherwise, sorted, with
// what they were and are; "" where one of the two does not have it. Lists of entries
// and rules are in one text each.
func ChangedSettings(was, is *Config) []ChangedSetting {
	before, after := was.settingTexts(), is.settingTexts()
	var all []ChangedSetting
	for _, key := range changedKeys(before, after) {
		all = append(all, ChangedSetting{key, before[key], after[key]})
	}
	return all
}

// ChangedSetting is a setting that two policies have otherwise.
type ChangedSetting struct{ Key, Old, New string }
