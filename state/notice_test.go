package state

import (
	"slices"
	"strings"
	"testing"
)

func TestANoticeIsTakenOnce(t *testing.T) {
	s := newBench(t).State
	if got := s.TakeNotices(); len(got) != 0 {
		t.Errorf("from the beginning: %+v", got)
	}
	s.AddNotice(ID{1}, "root (carol)")
	s.AddNotice(ID{2}, "root")
	s = reread(t, s)
	if got := s.TakeNotices(); !slices.Equal(got, []Notice{{ID{1}, "root (carol)"}, {ID{2}, "root"}}) {
		t.Errorf("%+v", got)
	}
	if got := reread(t, s).TakeNotices(); len(got) != 0 {
		t.Errorf("a second time: %+v", got)
	}
}

func TestNoticesThatWait(t *testing.T) {
	for sentence, c := range map[string]struct {
		story func(s *State)
		want  []Notice
	}{
		"of four the oldest goes": {func(s *State) {
			for i := range 4 {
				s.AddNotice(ID{byte(i)}, "root")
			}
		}, []Notice{{ID{1}, "root"}, {ID{2}, "root"}, {ID{3}, "root"}}},
		"a second one about a device takes the place of the first": {func(s *State) {
			s.AddNotice(ID{1}, "a file")
			s.AddNotice(ID{2}, "root")
			s.AddNotice(ID{1}, "root (carol)")
		}, []Notice{{ID{2}, "root"}, {ID{1}, "root (carol)"}}},
		"a device that was removed is not spoken of": {func(s *State) {
			s.AddNotice(ID{1}, "root")
			s.AddNotice(ID{2}, "root")
			s.RemoveDevice(ID{1})
		}, []Notice{{ID{2}, "root"}}},
		"the only device that was removed is not either": {func(s *State) {
			s.AddNotice(ID{1}, "root")
			s.RemoveDevice(ID{1})
		}, nil},
		"a name that is too long is cut between characters": {func(s *State) { s.AddNotice(ID{1}, strings.Repeat("ä", 20)) },
			[]Notice{{ID{1}, strings.Repeat("ä", 16)}}},
		"what would do something to a terminal is a question mark": {func(s *State) { s.AddNotice(ID{1}, "ro\x1b[2Jot\n\u202ex\x00") },
			[]Notice{{ID{1}, "ro?[2Jot??x?"}}},
		"what is not UTF-8 is replaced":          {func(s *State) { s.AddNotice(ID{1}, "ro\xffot") }, []Notice{{ID{1}, "ro\ufffdot"}}},
		"nobody is known to have added it":       {func(s *State) { s.AddNotice(ID{1}, "") }, []Notice{{ID{1}, ""}}},
		"forgetting sources leaves them waiting": {func(s *State) { s.AddNotice(ID{1}, "root"); s.ForgetSources() }, []Notice{{ID{1}, "root"}}},
	} {
		s := newBench(t).State
		c.story(s)
		if got := reread(t, s).TakeNotices(); !slices.Equal(got, c.want) {
			t.Errorf("%s: %+v, want %+v", sentence, got, c.want)
		}
	}
}

// Where nobody knows whether the user sees it, a notice is shown three times; where he does, once.
func TestANoticeIsShownThreeTimesOrTakenOnce(t *testing.T) {
	both, second := []Notice{{ID{1}, "root"}, {ID{2}, "carol"}}, []Notice{{ID{2}, "carol"}}
	s := newBench(t).State
	s.AddNotice(ID{1}, "root")
	want := func(when string, got, want []Notice) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s: %+v, want %+v", when, got, want)
		}
		s = reread(t, s)
	}
	want("the first time", s.ShowNotices(), both[:1])
	s.AddNotice(ID{2}, "carol")
	want("the second time, with another", s.ShowNotices(), both)
	want("the third time", s.ShowNotices(), both)
	want("the fourth time", s.ShowNotices(), second)
	want("and no more", s.ShowNotices(), nil)
	s.AddNotice(ID{1}, "root")
	want("once more about the same", s.ShowNotices(), both[:1])
	want("where it is seen", s.TakeNotices(), both[:1])
	want("after it was seen", s.ShowNotices(), nil)
	s.AddNotice(ID{1}, "root")
	s.ShowNotices()
	s.ShowNotices()
	s.AddNotice(ID{1}, "root")
	s.ShowNotices()
	want("added again, it begins anew", s.ShowNotices(), both[:1])
}

func TestTheUserIsToldOnceThatFewRecoveryCodesAreLeft(t *testing.T) {
	s := newBench(t).State
	s.Recovery = Recovery{ID: ID{1}, Total: 10}
	for used, want := range []bool{false, false, false, false, false, false, false, true, false, false, false} {
		s.Recovery.Used = 1<<used - 1
		left, due := s.TakeLowRecovery()
		if left != 10-used || due != want {
			t.Errorf("%d used: %d left, told %v", used, left, due)
		}
		s = reread(t, s)
	}
	s.Recovery = Recovery{ID: ID{2}, Total: 10, Used: 0x3f8} // new codes, and seven of them used
	if left, due := s.TakeLowRecovery(); left != 3 || !due {
		t.Errorf("of a new set: %d left, told %v", left, due)
	}
}

func TestTheUserIsNotToldOfRecoveryCodesThatHeNeverHad(t *testing.T) {
	for sentence, set := range map[string]Recovery{
		"none":                            {},
		"three, and none used":            {ID: ID{1}, Total: 3},
		"ten, six used":                   {ID: ID{1}, Total: 10, Used: 0x3f},
		"two, and bits that are no codes": {ID: ID{1}, Total: 2, Used: 0xf0},
	} {
		s := newBench(t).State
		s.Recovery = set
		if left, due := s.TakeLowRecovery(); due {
			t.Errorf("%s: told that %d are left", sentence, left)
		}
	}
}
