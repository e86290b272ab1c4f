package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"twokey/deliver"
	"twokey/enroll"
	"twokey/messenger"
	"twokey/state"
)

// hintForPhone advises on what cannot be sent to a phone.
func hintForPhone(err error, user string) string {
	var limit *state.LimitError
	switch {
	case errors.Is(err, errNoNumber), errors.Is(err, enroll.ErrNoPhone):
		return fmt.Sprintf("twokey enroll %s --method sms --phone +447400123456, or, beside other devices: twokey device add with the same", user)
	case errors.Is(err, errNoPush):
		return fmt.Sprintf("twokey enroll %s --method push, or, beside other devices: twokey device add %s --method push", user, user)
	case errors.Is(err, enroll.ErrSamePhone):
		return fmt.Sprintf("another number: twokey device edit %s DEVICE --phone +447400123456; another phone for push: twokey device remove %s DEVICE first", user, user)
	case errors.As(err, &limit):
		return "wait: a user gets at most 3 messages in 15 minutes and 10 in a day, whoever asks for them"
	case errors.Is(err, state.ErrHostLimit):
		return "wait, or raise it: twokey config set sms.per_hour 200"
	case errors.Is(err, messenger.ErrCredential):
		return "twokey sms setup, or twokey push setup, writes the file anew"
	}
	return hintForNotify(err)
}

// hintForNotify advises on twokey-notify itself.
func hintForNotify(err error) string {
	var path *fs.PathError
	switch {
	case errors.Is(err, deliver.ErrNoUser):
		_, command, _ := strings.Cut(deliver.ErrNoUser.Error(), ": ")
		return command
	case errors.Is(err, deliver.ErrEnded), errors.As(err, &path) && path.Path == deliver.Helper():
		return fmt.Sprintf("is %s there as it was installed? if not, install twokey again", deliver.Helper())
	}
	return ""
}
