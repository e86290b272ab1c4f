package state

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"twokey/internal/proc"
	"twokey/internal/safefile/disktest"
)

var (
	thisOne = ID{0xc1}
	another = ID{0xc2}
	mark    = [8]byte{0xf1}
)

const office = "192.0.2.7"

// right and wrong are what match says of an answer.
func right(TextCode) bool { return true }
func wrong(TextCode) bool { return false }

func withMessages(t testing.TB, data string) *Store {
	t.Helper()
	s := withBypasses(t, data)
	must(t, s.Update("alice", (*Tx).PrepareMessages))
	return s
}

// text sends a text to alice, if she may have one.
func text(s *Store, id byte, now time.Time) error {
	return s.Update("alice", func(tx *Tx) error {
		m, err := tx.Messages(now)
		if err == nil {
			err = m.MayText(now, true)
		}
		if err != nil {
			return err
		}
		m.AddText(TextCode{ID: ID{id}, Connection: thisOne, Source: office, Hash: [16]byte{id}, Until: now.Add(5 * time.Minute)}, now)
		return tx.SaveMessages(m)
	})
}

func useText(s *Store, now time.Time, connection ID, source string, match func(TextCode) bool) error {
	return s.Update("alice", func(tx *Tx) error { return tx.UseText(now, connection, source, mark, match) })
}

func messagesAt(t testing.TB, s *Store, now time.Time) *Messages {
	t.Helper()
	m, err := s.Messages("alice", now)
	must(t, err)
	return m
}

func wantErr(t testing.TB, sentence string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: %v, want %v", sentence, got, want)
	}
}

func TestACodeOfATextIsGoodOnce(t *testing.T) {
	s := withMessages(t, t.TempDir())
	must(t, text(s, 1, noon))
	if m := messagesAt(t, s, noon); m.Confirmed != [8]byte{} {
		t.Errorf("the number is confirmed before a code has come back: %x", m.Confirmed)
	}
	wantErr(t, "the code", useText(s, noon, thisOne, office, right), nil)
	wantErr(t, "the code again", useText(s, noon, thisOne, office, right), ErrNoText)
	if m := messagesAt(t, s, noon); m.Confirmed != mark || len(m.Texts) != 1 {
		t.Errorf("confirmed by %x, %d texts sent", m.Confirmed, len(m.Texts))
	}
}

func TestACodeOfATextIsGoodWhereItWasAskedForAlone(t *testing.T) {
	s := withMessages(t, t.TempDir())
	must(t, text(s, 1, noon))
	for range TextTries + 1 {
		wantErr(t, "at another connection", useText(s, noon, another, office, right), ErrNoText)
		wantErr(t, "from another source", useText(s, noon, thisOne, "192.0.2.8", right), ErrNoText)
	}
	wantErr(t, "where it was asked for, when others have tried", useText(s, noon, thisOne, office, right), nil)
}

func TestANewTextEndsTheCodeOfTheOneBefore(t *testing.T) {
	s := withMessages(t, t.TempDir())
	must(t, text(s, 1, noon))
	wantErr(t, "wrong", useText(s, noon, thisOne, office, wrong), ErrWrongText)
	must(t, text(s, 2, noon))
	for n := range TextTries {
		err := useText(s, noon, thisOne, office, func(c TextCode) bool {
			if c.ID != (ID{2}) || c.Hash != [16]byte{2} || c.Left != TextTries-n {
				t.Errorf("asked for %x, %d left, want that of the second text", c.ID, c.Left)
			}
			return false
		})
		wantErr(t, "wrong", err, ErrWrongText)
	}
	wantErr(t, "the right code behind three wrong ones", useText(s, noon, thisOne, office, right), ErrNoText)
}

// Attack: kill the login, or pull the plug, between the comparison and the write: each try would be free.
func TestATryIsOnTheDiskBeforeTheCodeIsLookedAt(t *testing.T) {
	s := withMessages(t, t.TempDir())
	must(t, text(s, 1, noon))
	for left := TextTries - 1; left >= 0; left-- {
		looked := false
		err := useText(s, noon, thisOne, office, func(TextCode) bool {
			looked = true
			m := messagesAt(t, s, noon)
			if left > 0 && (m.Code == nil || m.Code.Left != left) || left == 0 && m.Code != nil {
				t.Errorf("when the code is looked at, the disk has %+v, want %d left", m.Code, left)
			}
			return false
		})
		if !looked || !errors.Is(err, ErrWrongText) {
			t.Errorf("%v, looked at: %v", err, looked)
		}
	}
}

func TestATryThatCannotBeWrittenIsNotLookedAt(t *testing.T) {
	data := t.TempDir()
	s := withMessages(t, data)
	must(t, text(s, 1, noon))
	must(t, unix.Mount(data+"/messages", data+"/messages", "", unix.MS_BIND, ""))
	t.Cleanup(func() { must(t, unix.Unmount(data+"/messages", 0)) })
	must(t, unix.Mount("", data+"/messages", "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	err := useText(s, noon, thisOne, office, func(TextCode) bool {
		t.Error("the code was looked at")
		return true
	})
	wantErr(t, "on what cannot be written", err, unix.EROFS)
}

func TestHowLongACodeOfATextIsGood(t *testing.T) {
	for sentence, c := range map[string]struct {
		now  time.Time
		good bool
	}{
		"when it was sent":    {noon, true},
		"just before its end": {noon.Add(5*time.Minute - time.Millisecond), true},
		"at its end":          {noon.Add(5 * time.Minute), false},
		"a year later":        {noon.AddDate(1, 0, 0), false},
		"with a clock that is a few minutes behind": {noon.Add(-5 * time.Minute), true},
		"when the clock was set back by an hour":    {noon.Add(-time.Hour), false},
	} {
		s := withMessages(t, t.TempDir())
		must(t, text(s, 1, noon))
		if err := useText(s, c.now, thisOne, office, right); err == nil != c.good {
			t.Errorf("%s: %v", sentence, err)
		}
	}
}

func TestHowManyTextsAUserIsSent(t *testing.T) {
	s := withMessages(t, t.TempDir())
	var sent []time.Time
	for now := noon; now.Before(noon.Add(25 * time.Hour)); now = now.Add(time.Minute) {
		err := text(s, 1, now)
		var limit *LimitError
		switch {
		case err == nil:
			sent = append(sent, now)
		case !errors.As(err, &limit) || !limit.Next.After(now):
			t.Fatalf("%v: %v", now, err)
		}
		for in, most := range map[time.Duration]int{15 * time.Minute: 3, 24 * time.Hour: 10} {
			n := 0
			for _, at := range sent {
				if now.Sub(at) < in {
					n++
				}
			}
			if n > most {
				t.Fatalf("%d texts in %v before %v", n, in, now)
			}
		}
	}
	if len(sent) != 20 {
		t.Errorf("%d texts in 25 hours, want the 10 of each day", len(sent))
	}
	for i, want := range []time.Duration{0, 1, 2, 15, 16, 17, 30, 31, 32, 45, 24 * 60} {
		if i < len(sent) && sent[i] != noon.Add(want*time.Minute) {
			t.Errorf("the text %d at %v, want %v minutes later than noon", i+1, sent[i], int(want))
		}
	}
}

// Attack: who can make the clock of a host wrong (an NTP server) has texts sent without an end.
func TestAClockThatIsSetBackGivesNoMoreTexts(t *testing.T) {
	s := withMessages(t, t.TempDir())
	for range 3 {
		must(t, text(s, 1, noon))
	}
	for _, back := range []time.Duration{time.Second, time.Hour, 30 * time.Hour, 24 * 365 * time.Hour} { // one behind the other
		var limit *LimitError
		if err := text(s, 1, noon.Add(-back)); !errors.As(err, &limit) || limit.Next != noon.Add(15*time.Minute-back) {
			t.Errorf("%v back: %v, want a quarter of an hour from then on", back, err)
		}
	}
	wantErr(t, "a quarter of an hour later", text(s, 1, noon.Add(15*time.Minute-24*365*time.Hour)), nil)
}

func TestTheLimitNamesWhenTheNextTextMayBeSent(t *testing.T) {
	m := &Messages{Texts: []time.Time{noon, noon.Add(time.Minute), noon.Add(2 * time.Minute)}}
	err := m.MayText(noon.Add(10*time.Minute), true)
	if err == nil || err.Error() != "too many messages to this user, the next at 2026-11-21 12:15:00 UTC" {
		t.Errorf("%v", err)
	}
	wantErr(t, "then", m.MayText(noon.Add(15*time.Minute), true), nil)
}

func TestOneOfManyAtOnceTakesTheCode(t *testing.T) {
	data := t.TempDir()
	s := withMessages(t, data)
	must(t, text(s, 1, noon))
	var in, tries atomic.Int32
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			own, err := Open(data)
			if err != nil {
				t.Error(err)
				return
			}
			err = useText(own, noon, thisOne, office, func(TextCode) bool { tries.Add(1); return true })
			if err == nil {
				in.Add(1)
			} else if !errors.Is(err, ErrNoText) {
				t.Error(err)
			}
			must(t, own.Close())
		})
	}
	all.Wait()
	if in.Load() != 1 || tries.Load() != 1 {
		t.Errorf("%d of 16 got in by one code, which was looked at %d times", in.Load(), tries.Load())
	}
}

func TestOfManyTriesAtOnceThreeAreLookedAt(t *testing.T) {
	data := t.TempDir()
	s := withMessages(t, data)
	must(t, text(s, 1, noon))
	var tries atomic.Int32
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			err := useText(s, noon, thisOne, office, func(TextCode) bool { tries.Add(1); return false })
			if !errors.Is(err, ErrWrongText) && !errors.Is(err, ErrNoText) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if tries.Load() != TextTries {
		t.Errorf("%d of 16 answers were looked at, want %d", tries.Load(), TextTries)
	}
}

func TestMessagesOnAFullDisk(t *testing.T) {
	data := disktest.Mount(t, "ext4")
	s := withMessages(t, data)
	disktest.Fill(t, data)
	must(t, text(s, 1, noon))
	must(t, s.TakeText(noon, 1))
	wantErr(t, "the host's second", s.TakeText(noon, 1), ErrHostLimit)
	wantErr(t, "a wrong code", useText(s, noon, thisOne, office, wrong), ErrWrongText)
	wantErr(t, "the right one", useText(s, noon, thisOne, office, right), nil)
	wantErr(t, "the right one again", useText(s, noon, thisOne, office, right), ErrNoText)
}

func TestDamagedMessagesAreRefusedAndCanBeEnded(t *testing.T) {
	for sentence, content := range map[string]string{"rubbish": "rubbish", "nothing": "", "another kind's": ""} {
		data := t.TempDir()
		s := withMessages(t, data)
		if sentence == "another kind's" {
			b, err := os.ReadFile(data + "/state/alice")
			must(t, err)
			content = string(b)
		}
		must(t, os.WriteFile(data+"/messages/alice", []byte(content), 0o600))
		if _, err := s.Messages("alice", noon); !IsDamaged(err) || !strings.Contains(err.Error(), "alice") {
			t.Errorf("%s: read with %v", sentence, err)
		}
		err := useText(s, noon, thisOne, office, right)
		if !IsDamaged(err) || errors.Is(err, ErrNoText) {
			t.Errorf("%s: used with %v", sentence, err)
		}
		must(t, s.Update("alice", func(tx *Tx) error { return tx.EndMessages(noon) }))
		wantErr(t, sentence+", when it was ended", text(s, 1, noon), nil)
	}
}

// Attack: copy the messages of somebody else, whose code one knows, over those of a victim.
func TestMessagesOfAnotherUserAreRefused(t *testing.T) {
	data := t.TempDir()
	s := withMessages(t, data)
	must(t, s.New(&State{User: "bob", UID: 1001}))
	must(t, os.Rename(data+"/messages/alice", data+"/messages/bob"))
	_, err := s.Messages("bob", noon)
	wantErr(t, "alice's for bob", err, ErrWrongUser)
}

func TestEndingMessagesKeepsWhatWasSent(t *testing.T) {
	s := withMessages(t, t.TempDir())
	self, err := proc.Self()
	must(t, err)
	for range 3 {
		must(t, text(s, 1, noon))
	}
	must(t, s.Update("alice", func(tx *Tx) error {
		m, err := tx.Messages(noon)
		must(t, err)
		m.Push, m.Answered, m.Confirmed = &OpenPush{ID: ID{1}, Process: self, Until: noon.Add(time.Minute)}, &Answered{thisOne, "push", noon}, mark
		m.ShutPush(office, noon.Add(time.Minute))
		m.PushUnanswered(office, noon)
		return tx.SaveMessages(m)
	}))
	if m := messagesAt(t, s, noon); m.Code == nil || m.Push == nil || m.Answered == nil || len(m.Shut) != 1 || len(m.Unanswered) != 1 {
		t.Fatalf("before: %+v", m)
	}
	must(t, s.Update("alice", func(tx *Tx) error { return tx.EndMessages(noon) }))
	m := messagesAt(t, s, noon)
	if m.Code != nil || m.Push != nil || m.Answered != nil || m.Shut != nil || m.Unanswered != nil || m.Confirmed != [8]byte{} {
		t.Errorf("open when all was ended: %+v", m)
	}
	var limit *LimitError
	if err := text(s, 1, noon); !errors.As(err, &limit) {
		t.Errorf("a fourth text, bought by an end: %v", err)
	}
}

func TestRemovedMessagesAreGone(t *testing.T) {
	data := t.TempDir()
	s := withMessages(t, data)
	for range 2 {
		must(t, s.Update("alice", (*Tx).RemoveMessages))
		must(t, s.Update("alice", func(tx *Tx) error { return tx.EndMessages(noon) }))
	}
	if names, err := os.ReadDir(data + "/messages"); err != nil || len(names) != 0 {
		t.Errorf("left: %v, %v", names, err)
	}
}

func TestWhenAPushIsOpen(t *testing.T) {
	self, err := proc.Self()
	must(t, err)
	for sentence, c := range map[string]struct {
		process proc.ID
		now     time.Time
		open    bool
	}{
		"while its process waits":                    {self, noon, true},
		"at its end":                                 {self, noon.Add(time.Minute), false},
		"when its process was killed":                {proc.ID{PID: 1 << 30, Start: 1}, noon, false},
		"when another process has its number by now": {proc.ID{PID: self.PID, Start: self.Start + 1}, noon, false},
	} {
		m := &Messages{Push: &OpenPush{ID: ID{1}, Process: c.process, Until: noon.Add(time.Minute)}}
		if m.at(c.now); (m.Push != nil) != c.open {
			t.Errorf("%s: open is %v", sentence, m.Push != nil)
		}
	}
}

// Attack: with the password, ask for texts until the owner gets none.
func TestAStrangerLeavesTextsToTheOwner(t *testing.T) {
	for every, want := range map[time.Duration]struct{ stranger, owner int }{time.Second: {2, 1}, time.Hour: {6, 4}} {
		m, sent := &Messages{}, map[bool]int{}
		now := noon
		for _, known := range []bool{false, true} {
			for range 12 {
				if err := m.MayText(now, known); err == nil {
					m.noteText(now)
					sent[known]++
				}
				now = now.Add(every)
			}
		}
		if sent[false] != want.stranger || sent[true] != want.owner {
			t.Errorf("one every %v: %d to the stranger, then %d to the owner", every, sent[false], sent[true])
		}
	}
	m := &Messages{Texts: []time.Time{noon, noon.Add(time.Minute)}}
	var limit *LimitError
	if err := m.MayText(noon.Add(2*time.Minute), false); !errors.As(err, &limit) || limit.Next != noon.Add(15*time.Minute) {
		t.Errorf("the stranger's next: %v", err)
	}
}

// Attack: with the password, end with each text the code that the owner is just typing.
func TestAStrangerEndsNoCodeOfAKnownSource(t *testing.T) {
	until := noon.Add(5 * time.Minute)
	for sentence, c := range map[string]struct {
		ofKnown, known bool
		left           int
		now            time.Time
		may            bool
	}{
		"the owner's is open":            {true, false, 1, noon, false},
		"the owner asks for another":     {true, true, 1, noon, true},
		"one of a stranger is open":      {false, false, 1, noon, true},
		"the owner takes the stranger's": {false, true, 1, noon, true},
		"the owner's is over":            {true, false, 1, until, true},
		"the owner's was tried enough":   {true, false, 0, noon, true},
	} {
		m := &Messages{Code: &TextCode{Until: until, Left: c.left, Known: c.ofKnown}}
		err := m.MayText(c.now, c.known)
		var limit *LimitError
		if (err == nil) != c.may || !c.may && (!errors.As(err, &limit) || limit.Next != until) {
			t.Errorf("%s: %v", sentence, err)
		}
	}
}

// Attack: with the password, keep a push open, so that the owner can send none.
func TestAPushOfAStrangerGivesWayToOneFromAKnownSource(t *testing.T) {
	stranger, owner := &OpenPush{}, &OpenPush{Known: true}
	for _, c := range []struct {
		open       *OpenPush
		known, may bool
	}{{nil, false, true}, {nil, true, true}, {stranger, false, false}, {stranger, true, true}, {owner, false, false}, {owner, true, false}} {
		if got := (&Messages{Push: c.open}).MayPush(c.known); got != c.may {
			t.Errorf("open %+v, known %v: %v", c.open, c.known, got)
		}
	}
}

func TestForHowLongPushIsShut(t *testing.T) {
	m := &Messages{}
	m.ShutPush(office, noon.Add(15*time.Minute))
	for sentence, c := range map[string]struct {
		source string
		after  time.Duration
		shut   bool
	}{
		"at once":                           {office, 0, true},
		"just before the end":               {office, 15*time.Minute - 1, true},
		"at the end":                        {office, 15 * time.Minute, false},
		"from elsewhere":                    {"192.0.2.8", 0, false},
		"by a clock an hour behind":         {office, -time.Hour, true},
		"from a name that is not printable": {"\x00", 0, false},
	} {
		if until, shut := m.PushShut(c.source, noon.Add(c.after)); shut != c.shut || shut && until != noon.Add(15*time.Minute) {
			t.Errorf("%s: %v until %v", sentence, shut, until)
		}
	}
	back := noon.Add(-time.Hour)
	if m.at(back); m.Shut[0].Until != back.Add(PushShut) {
		t.Errorf("by a clock that was set back it is shut until %v", m.Shut[0].Until)
	}
	for i := range MaxShut + 1 {
		m.ShutPush(fmt.Sprintf("198.51.100.%d", i), noon)
	}
	if len(m.Shut) != MaxShut || m.Shut[0].Source != "198.51.100.1" {
		t.Errorf("%d are shut, the oldest %q", len(m.Shut), m.Shut[0].Source)
	}
}

// Attack: with the password, send pushes until the user presses Allow to have peace; those that he does not answer are no denial.
func TestThreeUnansweredPushesInARowShutPush(t *testing.T) {
	for sentence, c := range map[string]struct {
		before func(*Messages)
		shut   bool
	}{
		"none before":                       {func(*Messages) {}, false},
		"one before":                        {func(m *Messages) { m.PushUnanswered(office, noon) }, false},
		"two before":                        {func(m *Messages) { unanswered(m, office, noon, noon) }, true},
		"two, the last nearly a day before": {func(m *Messages) { unanswered(m, office, noon.Add(-rowDay-time.Hour), noon.Add(1-rowDay)) }, true},
		"two a day before":                  {func(m *Messages) { unanswered(m, office, noon.Add(-rowDay), noon.Add(-rowDay)) }, false},
		"two, by a clock an hour ago":       {func(m *Messages) { unanswered(m, office, noon.Add(time.Hour), noon.Add(time.Hour)) }, true},
		"two, and one that was let in":      {func(m *Messages) { unanswered(m, office, noon, noon); m.PushAllowed(office) }, false},
		"two, and one from elsewhere let in": {func(m *Messages) {
			unanswered(m, office, noon, noon)
			m.PushAllowed("192.0.2.8")
		}, true},
		"two from elsewhere": {func(m *Messages) { unanswered(m, "192.0.2.8", noon, noon) }, false},
		"three before, which have shut it and are forgotten": {func(m *Messages) { unanswered(m, office, noon, noon, noon); m.Shut = nil }, false},
	} {
		m := &Messages{}
		c.before(m)
		m.at(noon)
		if slices.ContainsFunc(m.Unanswered, func(u Unanswered) bool { return u.Last.After(noon) }) {
			t.Errorf("%s: one counts from a time that has not come: %+v", sentence, m.Unanswered)
		}
		m.PushUnanswered(office, noon)
		until, shut := m.PushShut(office, noon)
		if shut != c.shut || shut && (until != noon.Add(PushShut) || len(m.Unanswered) > 0) {
			t.Errorf("%s: shut %v until %v, %+v", sentence, shut, until, m.Unanswered)
		}
	}
	m := &Messages{}
	for i := range MaxShut + 1 {
		m.PushUnanswered(fmt.Sprintf("198.51.100.%d", i), noon)
	}
	if len(m.Unanswered) != MaxShut || m.Unanswered[0].Source != "198.51.100.1" {
		t.Errorf("%+v", m.Unanswered)
	}
}

func unanswered(m *Messages, source string, at ...time.Time) {
	for _, now := range at {
		m.PushUnanswered(source, now)
	}
}

func TestForHowLongASuccessIsAnswered(t *testing.T) {
	for after, kept := range map[time.Duration]bool{0: true, 2*time.Minute - 1: true, 2 * time.Minute: false, -time.Minute: true, -2 * time.Minute: false} {
		m := &Messages{Answered: &Answered{thisOne, "push", noon}}
		if m.at(noon.Add(after)); (m.Answered != nil) != kept {
			t.Errorf("%v later: %v", after, m.Answered)
		}
	}
}

// Attack: tell by what a login does whether a user has a phone to which something is sent.
func TestLookingForMessagesOfADecoyAndOfAUserWithoutLeavesNothing(t *testing.T) {
	data := t.TempDir()
	s := withBypasses(t, data)
	must(t, s.CreateDecoys())
	for _, user := range []string{"alice", Decoy("nobody")} {
		must(t, s.Update(user, func(tx *Tx) error {
			m, err := tx.Messages(noon)
			if err != nil || m.Code != nil || m.Texts != nil || m.MayText(noon, true) != nil {
				t.Errorf("%q: %+v, %v", user, m, err)
			}
			wantErr(t, user, tx.UseText(noon, thisOne, office, mark, right), ErrNoText)
			return nil
		}))
	}
	if _, err := os.Lstat(data + "/messages"); !os.IsNotExist(err) {
		t.Errorf("a folder of messages was made: %v", err)
	}
}
