package enroll

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"twokey/factor"
)

// An enrolment code is asked before somebody enrols at a login: between a reset, or the day from which he is required, and that login, a
// stolen password would else be enough to enrol the thief's phone. It has 60 bits, so wrong tries need no throttle.

// How long an enrolment code may be good.
const (
	ShortestCode = time.Minute
	LongestCode  = 30 * 24 * time.Hour
)

// The reasons for which an enrolment code is refused.
var (
	ErrNoCode    = errors.New("no enrolment code is open for the user")
	ErrCodeEnded = errors.New("the enrolment code has ended")
	ErrCodeWrong = errors.New("wrong enrolment code")
)

// NewCode makes an enrolment code for an account, good for so long (ShortestCode to LongestCode), in the place of the one before. An
// enrolment that was begun before ends. Only a hash of the code is kept.
func (u *Users) NewCode(a Account, good time.Duration) (text string, until time.Time, err error) {
	if good < ShortestCode || good > LongestCode {
		return "", time.Time{}, fmt.Errorf("an enrolment code good for %v, want %v to %v", good, ShortestCode, LongestCode)
	}
	text, fresh, err := newCode()
	if err != nil {
		return "", time.Time{}, err
	}
	fresh.until = u.Now().Add(good).UTC().Truncate(time.Second)
	if err := u.endUnfinished(a.Name); err != nil {
		return "", time.Time{}, err
	}
	err = u.change(a, func(n *unfinished) error {
		*n = unfinished{user: a.Name, uid: a.UID, code: fresh}
		return nil
	})
	if err != nil {
		return "", time.Time{}, err
	}
	return text, fresh.until, nil
}

// newCode draws a code in the shape of a recovery code, with a key of its own.
func newCode() (string, *codeHash, error) {
	texts, err := factor.NewRecoveryCodes(rand.Reader, 1)
	if err != nil {
		return "", nil, err
	}
	c := &codeHash{}
	if _, err := io.ReadFull(rand.Reader, c.key[:]); err != nil {
		return "", nil, err
	}
	if c.hash, err = factor.HashRecovery(c.key, texts[0]); err != nil {
		return "", nil, err
	}
	return texts[0], c, nil
}

// EndCode ends a user's enrolment code, and the enrolment that was begun with it; it is nil also when there was none.
func (u *Users) EndCode(user string) error { return u.endUnfinished(user) }

// CodeOpen reports whether an enrolment code is open for a user, and until when. It takes one look at a name when there is none.
func (u *Users) CodeOpen(user string) (until time.Time, open bool, err error) {
	n, err := u.readUnfinished(user)
	if err != nil || n == nil || n.code == nil || !u.Now().Before(n.code.until) {
		return time.Time{}, false, err
	}
	return n.code.until, true, nil
}

// CheckCode is nil for an account's enrolment code: ErrNoCode, ErrCodeEnded or ErrCodeWrong else. It does not use the code up: Finish does.
func (u *Users) CheckCode(a Account, answer string) error {
	n, err := u.readUnfinished(a.Name)
	if err != nil {
		return err
	}
	return n.check(a, answer, u.Now())
}

// check is CheckCode for what is kept, nil for nothing.
func (n *unfinished) check(a Account, answer string, now time.Time) error {
	switch {
	case n == nil || n.code == nil || n.uid != a.UID:
		return ErrNoCode
	case !now.Before(n.code.until):
		return ErrCodeEnded
	}
	if _, ok := factor.MatchRecovery(n.code.key, [][16]byte{n.code.hash}, answer); !ok {
		return ErrCodeWrong
	}
	return nil
}
