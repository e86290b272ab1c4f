package device

import (
	"errors"
	"time"

	"twokey/factor"
	"twokey/state"
)

// BypassUser is what uses a bypass code up: state.Tx, or what stands for it.
type BypassUser interface {
	UseBypass(now time.Time, match func(state.Bypass) bool) (state.Bypass, error)
}

// BypassCode uses up one use of a bypass code of the user: ErrWrong when the answer is none that is open. It is the administrator's act
// and counts whatever Only has left out. What it used is on the disk when it returns nil. A state that was lost has lost
// what was used, and bypass codes stay closed with the rest (ErrRestored).
func (s *Set) BypassCode(answer factor.Answer, now time.Time, by BypassUser) (Used, error) {
	used, err := by.UseBypass(now, func(b state.Bypass) bool {
		_, ok := factor.MatchRecovery(b.Key, [][16]byte{b.Hash}, answer.Text)
		return ok && !s.st.Restored
	})
	switch {
	case errors.Is(err, state.ErrNoBypass) && s.st.Restored:
		return Used{}, ErrRestored
	case errors.Is(err, state.ErrNoBypass):
		return Used{}, ErrWrong
	case err != nil:
		return Used{}, err
	}
	return Used{Method: Bypass, Device: used.ID.String(), Left: -1}, nil
}
