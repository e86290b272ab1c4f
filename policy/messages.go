package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// A Message is the key of a text that a person sees at a prompt, in a notice or in a mail of `twokey remind`. The table "messages"
// of the configuration replaces texts by these keys.
type Message string

// All messages. What stands in percent signs after a key is given to [Config.Text] by its caller; %CONTACT%, %HELP_URL% and %HELP%
// (the text "help", or nothing where there is no help_url) are known everywhere.
const (
	MsgPrompt          Message = "prompt"
	MsgPasswordAndCode Message = "password_and_code" // the one field of a service that asks "appended"
	MsgRefused         Message = "refused"

	MsgReplayed     Message = "replayed" // SECONDS
	MsgReplayedOne  Message = "replayed_one"
	MsgReplayedNext Message = "replayed_next" // where no time makes a new code (HOTP), or it is there already

	MsgNoticeOptional     Message = "notice_optional"     // USER
	MsgNoticeRequired     Message = "notice_required"     // USER, DATE, DAYS
	MsgNoticeRequiredOne  Message = "notice_required_one" // USER, DATE
	MsgNoticeRequiredLast Message = "notice_required_last"
	MsgNoticeDevice       Message = "notice_device"       // DEVICE, DATE, BY
	MsgNoticeDeviceEnds   Message = "notice_device_ends"  // DEVICE, DATE; within three days
	MsgNoticeRequireEnds  Message = "notice_require_ends" // DATE, the last day
	MsgNoticeExemptEnds   Message = "notice_exempt_ends"  // DATE, the last day
	MsgNoticeRecovery     Message = "notice_recovery"     // USER, LEFT
	MsgNoticeRecoveryOne  Message = "notice_recovery_one"
	MsgNoticeRecoveryNone Message = "notice_recovery_none"

	MsgMailSubject      Message = "mail_subject"       // USER, HOST
	MsgMailBody         Message = "mail_body"          // USER, HOST; to an optional user
	MsgMailBodyRequired Message = "mail_body_required" // USER, HOST
	MsgMailBodyUntil    Message = "mail_body_until"    // USER, HOST, DATE; to a required user before his last day

	MsgContact Message = "contact" // who helps, where the configuration names nobody
	MsgHelp    Message = "help"    // what %HELP% becomes
)

// Limits of texts, in bytes.
const (
	maxMessage = 1024 // as it is configured; also what is filled in
	maxShown   = 8192 // as it is shown; the login's prompts take 16384
)

// For chooses the form of a message for the number that is told in it: m itself, or its form for one or for none.
func (m Message) For(n int) Message {
	switch {
	case m == MsgReplayed && n == 1:
		return MsgReplayedOne
	case m == MsgReplayed && n <= 0:
		return MsgReplayedNext
	case m == MsgTextLimit && n <= 1:
		return MsgTextLimitOne
	case m == MsgNoticeRequired && n == 1:
		return MsgNoticeRequiredOne
	case m == MsgNoticeRequired && n <= 0:
		return MsgNoticeRequiredLast
	case m == MsgNoticeRecovery && n == 1:
		return MsgNoticeRecoveryOne
	case m == MsgNoticeRecovery && n <= 0:
		return MsgNoticeRecoveryNone
	}
	return m
}

// placeholders are what each message may have between percent signs, beside what every one may.
var placeholders = sync.OnceValue(func() map[Message][]string {
	return together(together(placeholdersOfEnrolment(), placeholdersOfPhones()), map[Message][]string{
		MsgPrompt: nil, MsgPasswordAndCode: nil, MsgRefused: nil,
		MsgReplayed: {"SECONDS"}, MsgReplayedOne: nil, MsgReplayedNext: nil,
		MsgNoticeOptional: {"USER"},
		MsgNoticeRequired: {"USER", "DATE", "DAYS"}, MsgNoticeRequiredOne: {"USER", "DATE"}, MsgNoticeRequiredLast: {"USER", "DATE"},
		MsgNoticeDevice: {"DEVICE", "DATE", "BY"}, MsgNoticeDeviceEnds: {"DEVICE", "DATE"},
		MsgNoticeRequireEnds: {"DATE"}, MsgNoticeExemptEnds: {"DATE"},
		MsgNoticeRecovery: {"USER", "LEFT"}, MsgNoticeRecoveryOne: {"USER"}, MsgNoticeRecoveryNone: {"USER"},
		MsgMailSubject: {"USER", "HOST"}, MsgMailBody: {"USER", "HOST"}, MsgMailBodyRequired: {"USER", "HOST"},
		MsgMailBodyUntil: {"USER", "HOST", "DATE"},
		MsgContact:       nil, MsgHelp: nil,
	})
})

// together puts a table into another.
func together[T any](all, more map[Message]T) map[Message]T {
	maps.Copy(all, more)
	return all
}

// everywhere are the placeholders that every message knows, but for contact and help, which they are made of.
var everywhere = []string{"CONTACT", "HELP_URL", "HELP"}

// prompts are the messages behind which an answer is typed.
var prompts = slices.Concat([]Message{MsgPrompt, MsgPasswordAndCode}, promptsOfEnrolment, promptsOfPhones)

// oneLine are the messages that stand where a second line would look like something else: a prompt, a header, part of a sentence.
var oneLine = slices.Concat([]Message{MsgMailSubject, MsgContact, MsgHelp}, prompts, onPhones, labelsOfEnrolment)

// known are the placeholders that a message may have.
func (m Message) known() []string {
	switch m {
	case MsgContact:
		return nil
	case MsgHelp:
		return []string{"CONTACT", "HELP_URL"}
	}
	return append(slices.Clone(placeholders()[m]), everywhere...)
}

// MessageKeys lists every key that the table "messages" may have, sorted.
func MessageKeys() []string {
	var keys []string
	for m := range placeholders() {
		keys = append(keys, string(m))
	}
	slices.Sort(keys)
	return keys
}

// placeholder is what is taken for a placeholder, right or wrong: "50 % of 20 %" has none.
var placeholder = pattern(`%[A-Za-z_]+%`)

// checkMessage returns what is wrong with a replaced text, or "". It refuses whatever could hide something on a terminal or make
// one prompt look like another, so that the module never has to refuse a text during a login.
func checkMessage(key, text string) string {
	m := Message(key)
	if _, known := placeholders()[m]; !known {
		return fmt.Sprintf("unknown message %.80q%s", key, suggestWord(key, MessageKeys()))
	}
	switch {
	case strings.TrimSpace(text) == "":
		return fmt.Sprintf("the message %q is empty: leave it out for the shipped text", key)
	case len(text) > maxMessage:
		return fmt.Sprintf("this text has %d bytes, the limit is %d", len(text), maxMessage)
	case !utf8.ValidString(text):
		return "this text is not UTF-8"
	case slices.Contains(oneLine, m) && strings.Contains(text, "\n"):
		return fmt.Sprintf("the message %q is one line", key)
	}
	for _, r := range text {
		if r == '\x1b' {
			return "escape sequences are not allowed in a text: terminals would obey them"
		}
		if !unicode.IsPrint(r) && r != '\n' {
			return fmt.Sprintf("the character %U is not allowed in a text", r)
		}
	}
	return m.checkPlaceholders(text)
}

func (m Message) checkPlaceholders(text string) string {
	known := m.known()
	for _, found := range placeholder().FindAllString(text, -1) {
		name := strings.Trim(found, "%")
		if slices.Contains(known, name) {
			continue
		}
		if len(known) == 0 {
			return fmt.Sprintf("unknown %s: the message %q has no placeholders", found, m)
		}
		return fmt.Sprintf("unknown %s%s: the message %q knows %%%s%%", found, suggestWord(strings.ToUpper(name), known), m,
			strings.Join(known, "%, %"))
	}
	return ""
}

// suggestWord is [suggest] for a list of words.
func suggestWord(word string, known []string) string {
	fields := make([]field, len(known))
	for i, k := range known {
		fields[i].key = k
	}
	return suggest(word, fields)
}
