package state

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Notice is a device that its owner has not been told of yet.
type Notice struct {
	Device ID
	By     string // who added it: "root (carol)"; at most 32 bytes are kept
}

// maxShown is how often a notice is shown where it may not be seen.
const maxShown = 3

// notice is one that waits.
type notice struct {
	Notice
	shown int // how often it was, where it may not have been seen; less than maxShown
}

// AddNotice keeps for the user's next session that a device was added, and by whom. A second one about the same device takes the place
// of the first; of more than 3 that wait the oldest goes.
func (s *State) AddNotice(device ID, by string) {
	s.dropNotice(device)
	if len(s.notices) >= maxNotices {
		s.notices = s.notices[len(s.notices)-maxNotices+1:]
	}
	s.notices = append(s.notices, notice{Notice: Notice{device, cut(strings.Map(printed, by), maxBy)}})
}

// printed takes a question mark for what would do something to a terminal rather than be seen on it.
func printed(r rune) rune {
	if r == utf8.RuneError || unicode.IsPrint(r) {
		return r
	}
	return '?'
}

// TakeNotices returns the notices that wait, the oldest first, and they are gone.
func (s *State) TakeNotices() []Notice {
	all := s.waiting()
	s.notices = nil
	return all
}

// ShowNotices returns the notices that wait, the oldest first, where they may not be seen; each is gone when it was shown so three times.
func (s *State) ShowNotices() []Notice {
	all := s.waiting()
	var left []notice
	for _, n := range s.notices {
		if n.shown++; n.shown < maxShown {
			left = append(left, n)
		}
	}
	s.notices = left
	return all
}

func (s *State) waiting() (all []Notice) {
	for _, n := range s.notices {
		all = append(all, n.Notice)
	}
	return all
}

// dropNotice takes back what nobody needs to be told any more.
func (s *State) dropNotice(device ID) {
	s.notices = slices.DeleteFunc(slices.Clone(s.notices), func(n notice) bool { return n.Device == device })
	if len(s.notices) == 0 {
		s.notices = nil
	}
}

// FewRecoveryCodes is the number of recovery codes at which their owner is told to get new ones.
const FewRecoveryCodes = 3

// TakeLowRecovery reports, once for each set of recovery codes, that some of it were used and few are left, and how many.
func (s *State) TakeLowRecovery() (left int, due bool) {
	left = s.Recovery.Left()
	due = left <= FewRecoveryCodes && left < s.Recovery.Total && !s.Recovery.told
	s.Recovery.told = s.Recovery.told || due
	return left, due
}
