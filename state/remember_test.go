package state

import (
	"encoding/hex"
	"fmt"
	"testing"
	"time"
)

var (
	both   = []string{"totp", "recovery"}
	atHome = RememberKey(home, "sshd", "SHA256:abc", both)
)

func TestWhoIsRemembered(t *testing.T) {
	const within = 8 * time.Hour
	for sentence, c := range map[string]struct {
		passed time.Duration // since he gave a code, as the clock says
		within time.Duration
		want   bool
	}{
		"at once":                                 {0, within, true},
		"just before the time is over":            {within - time.Millisecond, within, true},
		"when the time is over":                   {within, within, false},
		"a year later":                            {365 * day, within, false},
		"for no time at all":                      {0, 0, false},
		"for no time, and the clock was set back": {-time.Minute, 0, false},
		"for less than no time":                   {0, -within, false},
		"for as long as a duration can be":        {365 * day, 1<<63 - 1, true},
		"the clock was set back by five minutes":  {-5 * time.Minute, within, true},
		"set back by five minutes, for a minute":  {-5 * time.Minute, time.Minute, true},
		"the clock was set back by more":          {-5*time.Minute - time.Millisecond, within, false},
		"the clock was set back by a year":        {-365 * day, within, false},
		"the clock is at 1970":                    {-noon.Sub(time.Unix(0, 0)), within, false},
		"for as long as that, when it is over":    {1<<63 - 1, 1<<63 - 1, false},
	} {
		s := newBench(t).State
		s.Remember(atHome, noon)
		s = reread(t, s)
		since, ok := s.Remembered(atHome, c.within, noon.Add(c.passed))
		if ok != c.want || ok && !since.Equal(noon) || !ok && !since.IsZero() {
			t.Errorf("%s: %v since %v, want %v", sentence, ok, since, c.want)
		}
	}
}

// A difference of times from one end of the file's range to the other does not fit into a duration, and must not come round to a small one.
func TestAMomentOfTheYear1970IsNotRememberedAtTheEndOfTime(t *testing.T) {
	for _, c := range []struct{ then, now time.Time }{
		{time.Time{}, time.Date(10800, 1, 1, 0, 0, 0, 0, time.UTC)},
		{time.UnixMilli(1), time.UnixMilli(1 << 44)}, // 2^44 ms in ns is nothing modulo 2^64
		{time.UnixMilli(1 << 44), time.UnixMilli(1)},
	} {
		s := newBench(t).State
		s.Remember(atHome, c.then)
		if since, ok := s.Remembered(atHome, 720*time.Hour, c.now); ok {
			t.Errorf("remembered at %v, since %v", c.now, since)
		}
	}
}

func TestNobodyElseIsRemembered(t *testing.T) {
	s := newBench(t).State
	s.Remember(atHome, noon)
	for sentence, key := range map[string][16]byte{
		"another source":                      RememberKey(away, "sshd", "SHA256:abc", both),
		"another service":                     RememberKey(home, "login", "SHA256:abc", both),
		"another SSH key":                     RememberKey(home, "sshd", "SHA256:abd", both),
		"no SSH key":                          RememberKey(home, "sshd", "", both),
		"the service written into the source": RememberKey(home+"sshd", "", "SHA256:abc", both),
		"the fingerprint into the service":    RememberKey(home, "sshdSHA256:abc", "", both),
		"a byte of the source to the service": RememberKey(home[:len(home)-1], home[len(home)-1:]+"sshd", "SHA256:abc", both),
		"source and service exchanged":        RememberKey("sshd", home, "SHA256:abc", both),
		"another method":                      RememberKey(home, "sshd", "SHA256:abc", []string{"totp"}),
		"no method":                           RememberKey(home, "sshd", "SHA256:abc", nil),
		"the methods into the fingerprint":    RememberKey(home, "sshd", "SHA256:abcrecovery,totp", nil),
		"a service that cannot ask":           EarlierKey(home, "totp"),
		"nothing":                             {},
	} {
		if _, ok := s.Remembered(key, time.Hour, noon); ok {
			t.Errorf("%s is remembered", sentence)
		}
	}
}

// The lengths are part of what is hashed: the vectors were computed by another program.
func TestTheKeysAreAsTheirCommentsSay(t *testing.T) {
	for _, methods := range [][]string{{"totp", "recovery"}, {"recovery", "totp"}} {
		if got := RememberKey("192.0.2.7", "sshd", "", methods); hex.EncodeToString(got[:]) != "e4b324a2d4a4b204fe84715fff9d95b2" {
			t.Errorf("%v: %x", methods, got)
		}
	}
	if got := EarlierKey("192.0.2.7", "totp"); hex.EncodeToString(got[:]) != "58d75d9783498b3a2e9b057ccbaddfdb" {
		t.Errorf("%x", got)
	}
}

func TestTheOldestOfNineIsForgotten(t *testing.T) {
	s := newBench(t).State
	keys := make([][16]byte, maxRemember+1)
	for i := range keys {
		keys[i] = RememberKey(fmt.Sprint("source", i), "sshd", "", both)
		s.Remember(keys[i], noon.Add(-time.Duration(i)*time.Second)) // whatever the clock says: the order is that of the codes
	}
	for i, key := range keys {
		if _, ok := s.Remembered(key, time.Hour, noon); ok != (i > 0) {
			t.Errorf("number %d of %d: remembered %v", i, len(keys), ok)
		}
	}
	if _, n := s.Kept(); n != maxRemember {
		t.Errorf("%d are kept", n)
	}
	s.Remember(keys[1], noon) // once more: nobody has to go for that, and it is now the newest
	s.Remember(keys[0], noon)
	for i, want := range []bool{true, true, false, true} {
		if _, ok := s.Remembered(keys[i], time.Hour, noon); ok != want {
			t.Errorf("number %d: remembered %v", i, ok)
		}
	}
}

func TestANewCodeBeginsTheTimeAnew(t *testing.T) {
	s := newBench(t).State
	s.Remember(atHome, noon)
	later := noon.Add(50 * time.Minute)
	if _, ok := s.Remembered(atHome, time.Hour, later); !ok {
		t.Fatal("not remembered")
	}
	if _, ok := s.Remembered(atHome, time.Hour, noon.Add(61*time.Minute)); ok {
		t.Error("a login that was not asked has made the time longer")
	}
	s.Remember(atHome, later)
	if since, ok := s.Remembered(atHome, time.Hour, noon.Add(109*time.Minute)); !ok || !since.Equal(later) {
		t.Errorf("%v since %v", ok, since)
	}
}

func TestWhatEndsWhatIsRemembered(t *testing.T) {
	for sentence, c := range map[string]struct {
		end  func(s *State)
		ends bool
	}{
		"sources are forgotten":                                   {(*State).ForgetSources, true},
		"a device is removed":                                     {func(s *State) { s.RemoveDevice(s.Devices[0].ID) }, true},
		"attempts are given back":                                 {(*State).Unlock, false},
		"the clock is seen five minutes back":                     {func(s *State) { s.ClockBack(noon.Add(-5 * time.Minute)) }, false},
		"the clock is seen further back":                          {func(s *State) { s.ClockBack(noon.Add(-time.Hour)) }, true},
		"the clock is seen back, and is right again":              {func(s *State) { s.ClockBack(noon.Add(-365 * day)); s.ClockBack(noon) }, true},
		"somebody else tries":                                     {func(s *State) { s.Charge(Attempt{away, ID{7}, One, noon}) }, false},
		"a login succeeds elsewhere":                              {func(s *State) { s.Succeeded(Attempt{away, ID{7}, One, noon}) }, false},
		"sixteen others become known, and his source goes":        {sixteenOthers, false},
		"a session is opened":                                     {func(s *State) { s.TakeSuccess(monitor, "sshd") }, false},
		"a notice is taken":                                       {func(s *State) { s.TakeNotices() }, false},
		"it is written and read":                                  {func(s *State) {}, false},
		"few recovery codes are left, and he has been told of it": {func(s *State) { s.Recovery.Used = 0x3ff; s.TakeLowRecovery() }, false},
	} {
		s := example()
		s.Remember(atHome, noon)
		c.end(s)
		s = reread(t, s)
		if _, ok := s.Remembered(atHome, time.Hour, noon); ok == c.ends {
			t.Errorf("%s: remembered %v", sentence, ok)
		}
	}
}

func sixteenOthers(s *State) {
	for i := range MaxSources {
		s.Succeeded(Attempt{fmt.Sprint("other", i), ID{byte(i)}, One, noon.Add(time.Duration(i) * time.Second)})
	}
}

// What was remembered while the clock was ahead must not let anybody in when that time comes.
func TestAClockThatWasAheadAndIsSeenLeavesNothingRemembered(t *testing.T) {
	s := newBench(t).State
	ahead := noon.Add(100 * day)
	s.Remember(atHome, ahead)
	if _, ok := s.Remembered(atHome, 720*time.Hour, noon); ok {
		t.Error("a time in the future is good")
	}
	if !s.ClockBack(noon) || s.ClockBack(noon) {
		t.Error("it is not noticed, or twice")
	}
	if _, ok := s.Remembered(atHome, 720*time.Hour, ahead.Add(time.Minute)); ok {
		t.Error("it has become good when the time came")
	}
}

func TestKeptCountsWhatForgettingEnds(t *testing.T) {
	s := example()
	for _, want := range []int{1, 0} {
		if sources, remembered := s.Kept(); sources != want || remembered != want {
			t.Errorf("%d sources and %d remembered, want %d", sources, remembered, want)
		}
		s.ForgetSources()
	}
}
