package main

import (
	"regexp"
	"strings"

	"twokey/doctor"
	"twokey/policy"
)

// columns is how wide doctor's text is, so that it can be read on a console.
const columns = 80

// doctorReport prints a report, grouped by what it is about, the worst group first.
func (u *ui) doctorReport(r *doctor.Report) error {
	if u.json {
		findings := append([]doctor.Finding{}, r.Findings...)
		return u.object(struct {
			OK       bool             `json:"ok"`
			Services []doctor.Service `json:"services"`
			Findings []doctor.Finding `json:"findings"`
		}{r.OK(), append([]doctor.Service{}, r.Services...), findings})
	}
	u.say("%s", verdictOf(r))
	u.services(r.Services)
	shown := map[string]bool{}
	for _, first := range r.Findings {
		if shown[first.About] {
			continue
		}
		shown[first.About] = true
		u.say("")
		u.say("%s", visible(first.About))
		for _, f := range r.Findings {
			if f.About == first.About {
				u.finding(f)
			}
		}
	}
	return nil
}

// services prints the table, and below it what sshd lets in.
func (u *ui) services(all []doctor.Service) {
	if len(all) == 0 {
		return
	}
	rows := [][]string{{"SERVICE", "ASKED", "AFTER", "ACCOUNT", "SESSION"}}
	for _, s := range all {
		rows = append(rows, []string{s.Name, asked(s), after(s), string(s.Account), string(s.Session)})
	}
	u.say("")
	for _, line := range tableLines(rows, columns) {
		u.say("%s", line)
	}
	for _, s := range all {
		for _, lets := range s.SSHD {
			u.say("")
			u.wrappedAfter("", "  ", letsIn(lets, len(s.SSHD) > 1))
		}
	}
}

// asked names how the policy asks where that is not by a question.
func asked(s doctor.Service) string {
	if s.Ask == policy.Prompt.String() {
		return string(s.Asked)
	}
	return string(s.Asked) + " (ask: " + s.Ask + ")"
}

func after(s doctor.Service) string {
	switch {
	case s.After == "" && s.Decoy:
		return "decoy"
	case s.After == "":
		return "-"
	case s.Decoy:
		return s.After + " (decoy)"
	}
	return s.After
}

// letsIn is what sshd lets in, for a user and an address where that makes a difference.
func letsIn(s doctor.SSHD, differs bool) string {
	who := "sshd"
	if differs {
		who += ", " + s.User + " from " + s.From
	}
	if !s.PAM {
		return who + ": UsePAM no, so nobody is asked"
	}
	unasked := "nobody"
	if len(s.Unasked) > 0 {
		unasked = strings.Join(s.Unasked, ", ")
	}
	if len(s.Unasked) > 0 && s.Refused {
		unasked += ", which the policy refuses"
	}
	return who + ": keyboard-interactive " + yesNo(s.KeyboardInteractive) + ", password " + yesNo(s.Password) +
		", AuthenticationMethods " + s.Methods + "; in without a question: " + unasked
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func (u *ui) finding(f doctor.Finding) {
	u.say("  %s  %s", map[doctor.Severity]string{doctor.Error: "ERROR  ", doctor.Warning: "warning", doctor.Info: "info   "}[f.Severity], f.ID)
	u.wrapped("      ", strings.TrimPrefix(f.Message, f.About+": "))
	for i, part := range fixParts(f.Fix) {
		begin := "      fix: "
		if i > 0 {
			begin = "           "
		}
		if line, ok := strings.CutPrefix(part, `"`); ok {
			u.say("             %s", visible(strings.TrimSuffix(line, `"`))) // in one piece, to be copied
			continue
		}
		u.wrappedAfter(begin, "           ", part)
	}
}

// fixPart is a place with what to do there, a line in quotes, or other text.
var fixPart = regexp.MustCompile(`"[^"]*"|[^"]+`)

// fixParts takes a fix apart: what to do, and each line to write on its own.
func fixParts(fix string) (parts []string) {
	if !strings.Contains(fix, " line ") {
		return []string{fix}
	}
	for _, part := range fixPart.FindAllString(fix, -1) {
		if part = strings.Trim(part, " ,;"); part != "" {
			parts = append(parts, part)
		}
	}
	return parts
}

func (u *ui) wrapped(indent, text string) { u.wrappedAfter(indent, indent, text) }

// wrappedAfter prints words in lines of at most so many columns; a word that is longer stands alone.
func (u *ui) wrappedAfter(first, indent, text string) {
	line := first
	empty := true
	for _, word := range strings.Fields(visible(text)) {
		if !empty && len(line)+1+len(word) > columns {
			u.say("%s", line)
			line, empty = indent, true
		}
		if !empty {
			line += " "
		}
		line += word
		empty = false
	}
	u.say("%s", line)
}
