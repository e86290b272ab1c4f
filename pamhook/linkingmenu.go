package pamhook

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"twokey/device"
	"twokey/factor"
	"twokey/policy"
)

// errChooseAgain is no refusal: by what was chosen nothing can be linked now, and the person has been told why.
var errChooseAgain = errors.New("another way is to be chosen")

// holder is what will show the codes, or be sent something.
type holder struct {
	label  policy.Message // in the menu; "": it stands in the text above it
	text   policy.Message // what is needed for it; "": nothing
	device string         // its name
	link   func(*linking) error
}

// The names of the devices that logins link.
const phoneName, computerName = "phone", "computer"

// doneWith is the end of an enrolment of the device with this name.
func doneWith(device string) policy.Message {
	if device == computerName {
		return policy.MsgEnrollDoneComputer
	}
	return policy.MsgEnrollDonePhone
}

// apps are what can show codes, in the order of the text that lists them.
func apps() []holder {
	return []holder{
		{"", policy.MsgEnrollIPhone, phoneName, (*linking).byApp},
		{"", policy.MsgEnrollAndroid, phoneName, (*linking).byApp},
		{"", policy.MsgEnrollComputer, computerName, (*linking).byApp},
		{"", policy.MsgEnrollToken, "", (*linking).byNothing},
		{"", policy.MsgEnrollPlainPhone, "", (*linking).byNothing},
	}
}

// menu is what can be chosen, and the text above it. What is sent to phones is there where it would let this user in here, and apps where
// their codes would, or nothing else could; a phone without apps can have texts.
func (l *linking) menu() (policy.Message, []holder) {
	sms := holder{policy.MsgEnrollHolderSMS, policy.MsgEnrollNumber, phoneName, (*linking).byText}
	push := holder{policy.MsgEnrollHolderPush, "", phoneName, (*linking).byPush}
	all, text := apps(), policy.MsgEnrollHolder
	var phones []holder
	if l.sends(device.SMS) {
		phones = append(phones, sms)
		all[len(all)-1] = holder{"", sms.text, sms.device, sms.link}
	}
	if l.sends(device.Push) {
		phones = append(phones, push)
	}
	if len(phones) > 0 && !slices.Contains(l.run.outcome.Methods, string(factor.TOTP)) {
		all, text = nil, policy.MsgEnrollHolderPhones
	}
	return text, append(all, phones...)
}

// sends reports whether something can be sent by a method, and would let the user in here.
func (l *linking) sends(method string) bool {
	return l.phones && l.run.policy.Sends(method) && slices.Contains(l.run.outcome.Methods, method)
}

// way links by what is chosen.
func (l *linking) way() error {
	for range choiceTries {
		if err := l.choose(); err != nil {
			return err
		}
		if err := l.holder.link(l); !errors.Is(err, errChooseAgain) {
			return err
		}
	}
	return errTries
}

// choose asks what will hold the codes.
func (l *linking) choose() error {
	text, all := l.menu()
	lines := []string{l.text(text)}
	for i, h := range all {
		if h.label != "" {
			lines = append(lines, fmt.Sprintf("  %d  %s", i+1, l.text(h.label)))
		}
	}
	l.say(strings.Join(lines, "\n"))
	for range choiceTries {
		answer, err := l.ask(policy.MsgEnrollHolderPrompt, true)
		if err != nil {
			return err
		}
		if n, err := strconv.Atoi(answer); err == nil && n >= 1 && n <= len(all) {
			l.holder = all[n-1]
			return nil
		}
		l.tell(policy.MsgEnrollHolderWrong, "LAST", strconv.Itoa(len(all)))
	}
	return errTries
}

// byNothing says what else there is.
func (l *linking) byNothing() error {
	l.tell(l.holder.text)
	return errChooseAgain
}
