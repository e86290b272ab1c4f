package main

import (
	"fmt"
	"time"
)

func (v *view) print(ui *ui, p person) error {
	head := v.User
	if v.FullName != "" {
		head += " (" + v.FullName + ")"
	}
	if v.UID == nil {
		head += ", no account of this host any more"
	} else {
		head += fmt.Sprintf(", uid %d, group %s", *v.UID, v.Group)
	}
	ui.say("%s\n", visible(head))
	var rows [][]string
	add := func(label, text string) { rows = append(rows, []string{"  " + label, text}) }
	add("Second factor", v.standing(ui.actor()))
	add("Policy", p.elsewhere()+": "+v.Reason)
	label := "Services"
	for _, s := range v.Services {
		add(label, fmt.Sprintf("%s: %s (%s by %s)", s.Service, s.inShort, s.Decision, s.Rule))
		label = ""
	}
	for _, d := range v.Devices {
		add("Device", d.Name+": "+d.about)
		add("", "made "+at(d.Created)+", "+d.used()+d.endText())
	}
	if v.Phone != "" {
		add("Telephone", v.Phone+country(v.Country)+confirmedText(v.Confirmed))
	}
	v.addState(ui, add, p)
	return ui.table(rows)
}

func confirmedText(confirmed bool) string {
	if confirmed {
		return ", confirmed"
	}
	return ", not confirmed"
}

// endText is the end of a device, behind what is said of it; "" for none.
func (d viewDevice) endText() string {
	switch {
	case d.Until == nil:
		return ""
	case d.Expired:
		return ", EXPIRED: it was good until " + lastDay(*d.Until).String()
	}
	return ", good until " + lastDay(*d.Until).String()
}

// addState adds what changes from login to login.
func (v *view) addState(ui *ui, add func(label, text string), p person) {
	if v.Enrolled && v.Recovery.Total > 0 {
		add("Recovery codes", fmt.Sprintf("%d of %d left", v.Recovery.Left, v.Recovery.Total))
	} else if v.Enrolled && p.problem == nil {
		add("Recovery codes", "none")
	}
	for _, b := range v.Bypasses {
		add("Bypass code", fmt.Sprintf("%s: %d of %s until %s, asked for by %s: %s", b.ID, b.Left, count(b.Uses, "login"), at(b.Until), b.Requester, b.Reason))
	}
	if v.CodeUntil != nil {
		add("Enrolment code", "open until "+at(v.CodeUntil))
	}
	if v.Enrolled && p.problem == nil {
		add("Throttle", v.Throttle.String())
	}
	if v.Sources+v.Remembered > 0 {
		ends := forRoot(ui.actor(), fmt.Sprintf(": twokey forget %s ends them", v.User), "")
		add("Known places", fmt.Sprintf("%d, and %s%s", v.Sources, rememberedLogins(v.Remembered), ends))
	}
	for _, n := range v.Notices {
		add("To be told", fmt.Sprintf("device %q was added by %s", n.Device, n.By))
	}
	for _, l := range v.Logins {
		from := ""
		if l.From != "" {
			from = " from " + l.From
		}
		add("Last login", at(l.Time)+" "+l.String()+from)
	}
}

func rememberedLogins(n int) string {
	switch n {
	case 0:
		return "no remembered logins"
	case 1:
		return "1 remembered login"
	}
	return fmt.Sprintf("%d remembered logins", n)
}

func (v *view) standing(who actor) string {
	switch {
	case v.Enrolled && v.Restored:
		return "enrolled; the state was lost, so hotp and recovery codes are closed until " +
			forRoot(who, "twokey adopt "+v.User, "root opens them again")
	case v.Enrolled:
		return "enrolled"
	case v.MustEnroll:
		return "reset: has to be enrolled before the next login"
	}
	return "not enrolled"
}

func (d viewDevice) used() string {
	if d.LastUsed == nil {
		return "never used"
	}
	return "last used " + at(d.LastUsed) + " from " + d.LastFrom
}

func at(t *time.Time) string {
	if t == nil {
		return "at an unknown time"
	}
	return t.Local().Format("2006-01-02 15:04")
}

// String says in whose attempts a single code is looked at.
func (t viewThrottle) String() string {
	switch {
	case t.Strangers && t.Known:
		return "attempts are used up: two codes in a row are needed, from everywhere"
	case t.Strangers:
		return "attempts from new places are used up: there two codes in a row are needed"
	case t.Known:
		return "attempts from a known place are used up: there two codes in a row are needed"
	}
	return "attempts are left"
}
