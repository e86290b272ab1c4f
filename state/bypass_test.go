package state

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"twokey/internal/safefile/disktest"
	"twokey/internal/slotfile"
)

// bypass is a code that an hour is left of, told from others by its number, with which UseBypass is asked for it.
func bypass(number byte, uses int) Bypass {
	return Bypass{ID: BypassID{number}, Created: noon, Until: noon.Add(time.Hour), Uses: uses, Left: uses, Key: [32]byte{number}, Hash: [16]byte{number},
		Reason: "phone lost", Requester: "bob", By: "root (carol)"}
}

func numbered(number byte) func(Bypass) bool {
	return func(b Bypass) bool { return b.Key == [32]byte{number} }
}

// withBypasses is a store with alice, who has these.
func withBypasses(t testing.TB, data string, all ...Bypass) *Store {
	t.Helper()
	s, err := Create(data)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	must(t, s.New(&State{User: "alice", UID: 1000}))
	must(t, s.Update("alice", func(tx *Tx) error {
		for _, b := range all {
			if err := tx.AddBypass(b, noon); err != nil {
				return err
			}
		}
		return nil
	}))
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func useAt(s *Store, number byte, now time.Time) (used Bypass, err error) {
	err = s.Update("alice", func(tx *Tx) (err error) {
		used, err = tx.UseBypass(now, numbered(number))
		return err
	})
	return used, err
}

func TestABypassIsGoodAsOftenAsItsUses(t *testing.T) {
	data := t.TempDir()
	s := withBypasses(t, data, bypass(1, 3), bypass(2, 1))
	for left := 2; left >= 0; left-- {
		used, err := useAt(s, 1, noon)
		if err != nil || used.Left != left || used.ID != (BypassID{1}) {
			t.Fatalf("%d left: %+v, %v", left, used, err)
		}
	}
	if _, err := useAt(s, 1, noon); !errors.Is(err, ErrNoBypass) {
		t.Errorf("a fourth time: %v", err)
	}
	if _, err := useAt(s, 2, noon); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(data + "/bypass/alice"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file is there when nothing is open: %v", err)
	}
}

func TestWhenABypassIsOpen(t *testing.T) {
	s := withBypasses(t, t.TempDir(), bypass(1, 9))
	for sentence, c := range map[string]struct {
		now  time.Time
		open bool
	}{
		"when it was made":    {noon, true},
		"just before its end": {noon.Add(time.Hour - time.Millisecond), true},
		"at its end":          {noon.Add(time.Hour), false},
		"long after":          {noon.AddDate(1, 0, 0), false},
		"with a clock that is five minutes behind":   {noon.Add(-5 * time.Minute), true},
		"when the clock was set back by more":        {noon.Add(-5*time.Minute - time.Second), false},
		"when it was set back to the beginning":      {time.Unix(0, 0), false},
		"again when it was made, after all of these": {noon, true},
	} {
		all, err := s.Bypasses("alice", c.now)
		if err != nil || len(all) == 1 != c.open {
			t.Errorf("%s: listed %v, %v", sentence, all, err)
		}
		if _, err := useAt(s, 1, c.now); err == nil != c.open {
			t.Errorf("%s: used with %v", sentence, err)
		}
	}
}

func TestWhatABypassMustBeLike(t *testing.T) {
	for sentence, change := range map[string]func(*Bypass){
		"no id":                              func(b *Bypass) { b.ID = BypassID{} },
		"no key":                             func(b *Bypass) { b.Key = [32]byte{} },
		"no uses":                            func(b *Bypass) { b.Uses, b.Left = 0, 0 },
		"1001 uses":                          func(b *Bypass) { b.Uses, b.Left = MaxBypassUses+1, 1 },
		"more uses left than there were":     func(b *Bypass) { b.Left = b.Uses + 1 },
		"no end":                             func(b *Bypass) { b.Until = time.Time{} },
		"an end before it was made":          func(b *Bypass) { b.Until = b.Created },
		"no reason":                          func(b *Bypass) { b.Reason = "" },
		"a reason of 121 bytes":              func(b *Bypass) { b.Reason = strings.Repeat("r", 121) },
		"a reason with a line feed":          func(b *Bypass) { b.Reason = "a\nb" },
		"a reason that moves the cursor":     func(b *Bypass) { b.Reason = "\x1b[2J" },
		"a reason that is not UTF-8":         func(b *Bypass) { b.Reason = "\xff" },
		"nobody who asked":                   func(b *Bypass) { b.Requester = "" },
		"who asked in 65 bytes":              func(b *Bypass) { b.Requester = strings.Repeat("r", 65) },
		"nobody who made it":                 func(b *Bypass) { b.By = "" },
		"who made it that cannot be printed": func(b *Bypass) { b.By = "root\x00" },
		"the id of another that is open":     func(b *Bypass) { b.ID = BypassID{1} },
		"nothing left of it":                 func(b *Bypass) { b.Left = 0 },
	} {
		s := withBypasses(t, t.TempDir(), bypass(1, 1))
		b := bypass(2, 2)
		change(&b)
		if err := s.Update("alice", func(tx *Tx) error { return tx.AddBypass(b, noon) }); !errors.Is(err, ErrBypass) {
			t.Errorf("%s: %v, want ErrBypass", sentence, err)
		}
		if all, err := s.Bypasses("alice", noon); err != nil || len(all) != 1 {
			t.Errorf("%s: then %v, %v", sentence, all, err)
		}
	}
}

func TestEightBypassesAreOpenAtMostAndTheFullestFits(t *testing.T) {
	s := withBypasses(t, t.TempDir())
	longest := func(number byte) Bypass {
		b := bypass(number, MaxBypassUses)
		b.Reason, b.Requester, b.By = strings.Repeat("r", MaxBypassReason), strings.Repeat("q", MaxBypassName), strings.Repeat("b", MaxBypassName)
		return b
	}
	for n := range byte(MaxBypasses) {
		must(t, s.Update("alice", func(tx *Tx) error { return tx.AddBypass(longest(n+1), noon) }))
	}
	ninth := func(now time.Time) error {
		b := longest(9)
		b.Until = now.Add(time.Hour)
		return s.Update("alice", func(tx *Tx) error { return tx.AddBypass(b, now) })
	}
	if err := ninth(noon); !errors.Is(err, ErrManyBypasses) {
		t.Errorf("a ninth: %v", err)
	}
	must(t, ninth(noon.Add(2*time.Hour))) // the others have ended
	if all, err := s.Bypasses("alice", noon.Add(2*time.Hour)); err != nil || len(all) != 1 {
		t.Errorf("left: %v, %v", all, err)
	}
	full := make([]Bypass, MaxBypasses)
	for i := range full {
		full[i] = longest(byte(i + 1))
	}
	if b, err := encodeBypasses(strings.Repeat("u", maxUser), full); err != nil || len(b) > slotfile.MaxValue {
		t.Errorf("the fullest has %d bytes of %d, %v", len(b), slotfile.MaxValue, err)
	}
}

func TestEndingBypasses(t *testing.T) {
	data := t.TempDir()
	s := withBypasses(t, data, bypass(1, 1), bypass(2, 1), bypass(3, 1))
	end := func(id BypassID) (b Bypass, err error) {
		err = s.Update("alice", func(tx *Tx) (err error) { b, err = tx.EndBypass(id, noon); return err })
		return b, err
	}
	if b, err := end(BypassID{2}); err != nil || b.Hash != [16]byte{2} {
		t.Errorf("ended %v, %v", b, err)
	}
	if _, err := end(BypassID{2}); !errors.Is(err, ErrNoBypass) {
		t.Errorf("ended twice: %v", err)
	}
	if _, err := useAt(s, 2, noon); !errors.Is(err, ErrNoBypass) {
		t.Errorf("used when it was ended: %v", err)
	}
	must(t, os.WriteFile(data+"/bypass/alice", []byte("rubbish"), 0o600))
	if _, err := useAt(s, 1, noon); err == nil || errors.Is(err, ErrNoBypass) {
		t.Errorf("a damaged file: %v", err)
	}
	for range 2 {
		must(t, s.Update("alice", (*Tx).EndBypasses))
	}
	if _, err := useAt(s, 1, noon); !errors.Is(err, ErrNoBypass) {
		t.Errorf("used when all were ended: %v", err)
	}
}

// Attack: copy the bypass codes of somebody else, who has some, over one's own.
func TestBypassesOfAnotherUserAreRefused(t *testing.T) {
	data := t.TempDir()
	s := withBypasses(t, data, bypass(1, 1))
	must(t, s.New(&State{User: "bob", UID: 1001}))
	must(t, os.Rename(data+"/bypass/alice", data+"/bypass/bob"))
	err := s.Update("bob", func(tx *Tx) error { _, err := tx.UseBypass(noon, numbered(1)); return err })
	if !errors.Is(err, ErrWrongUser) {
		t.Errorf("%v, want ErrWrongUser", err)
	}
}

func TestABypassOfOneUseLetsOneIn(t *testing.T) {
	s := withBypasses(t, t.TempDir(), bypass(1, 1))
	var in sync.Map
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			if _, err := useAt(s, 1, noon); err == nil {
				in.Store(i, true)
			} else if !errors.Is(err, ErrNoBypass) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	n := 0
	in.Range(func(any, any) bool { n++; return true })
	if n != 1 {
		t.Errorf("%d of 16 got in", n)
	}
}

func TestAUseOfABypassIsTakenOnAFullDisk(t *testing.T) {
	data := disktest.Mount(t, "ext4")
	s := withBypasses(t, data, bypass(1, 2))
	disktest.Fill(t, data)
	for left := 1; left >= 0; left-- {
		if used, err := useAt(s, 1, noon); err != nil || used.Left != left {
			t.Errorf("%d left: %+v, %v", left, used, err)
		}
	}
	if _, err := useAt(s, 1, noon); !errors.Is(err, ErrNoBypass) {
		t.Errorf("a third time: %v", err)
	}
}

func TestABypassWhoseUseCannotBeWrittenLetsNobodyIn(t *testing.T) {
	data := t.TempDir()
	s := withBypasses(t, data, bypass(1, 2))
	must(t, unix.Mount(data+"/bypass", data+"/bypass", "", unix.MS_BIND, ""))
	t.Cleanup(func() { must(t, unix.Unmount(data+"/bypass", 0)) })
	must(t, unix.Mount("", data+"/bypass", "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	if _, err := useAt(s, 1, noon); !errors.Is(err, unix.EROFS) {
		t.Errorf("%v, want EROFS", err)
	}
}

// exampleBypass is what the comment on the format describes.
func exampleBypass() Bypass {
	b := bypass(0xd1, 2)
	b.ID = BypassID{0xd1, 0xd2, 0xd3, 0xd4}
	b.Left = 1
	for i := range b.Key {
		b.Key[i] = byte(i)
	}
	for i := range b.Hash {
		b.Hash[i] = byte(32 + i)
	}
	return b
}

func TestTheExampleOfBypassCodesIsWhatIsWritten(t *testing.T) {
	source, err := parser.ParseFile(token.NewFileSet(), "bypassformat.go", nil, parser.ParseComments)
	must(t, err)
	var digits strings.Builder
	for _, group := range source.Comments {
		_, example, found := strings.Cut(group.Text(), "# Example\n")
		for line := range strings.Lines(example) {
			if found && strings.HasPrefix(line, "\t") {
				digits.WriteString(strings.ReplaceAll(strings.Split(strings.TrimSpace(line), "   ")[0], " ", ""))
			}
		}
	}
	want, err := hex.DecodeString(digits.String())
	must(t, err)
	got, err := encodeBypasses("alice", []Bypass{exampleBypass()})
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("encoded\n%x (%v)\nthe comment says\n%x", got, err, want)
	}
}

// bypassSeeds are values with what is to become of them.
func bypassSeeds(t testing.TB) map[string][]byte {
	one, err := encodeBypasses("alice", []Bypass{exampleBypass()})
	must(t, err)
	two, err := encodeBypasses("alice", []Bypass{exampleBypass(), bypass(2, 3)})
	must(t, err)
	seeds := map[string][]byte{"good: one": one, "good: two": two, "nothing": {}, "only a user": section(1, []byte("alice")),
		"no user": one[8:], "two users": join(one[:8], one), "no name": join(section(1, nil), one[8:]), "a byte too many": join(one, []byte{0}),
		"nine": join(one[:8], bytes.Repeat(one[8:], 9)), "an unknown tag": join(one, section(3, nil)), "an empty bypass": join(one[:8], section(2, nil)),
		"a byte too many inside": join(one[:8], section(2, join(one[11:], []byte{0}))), "a user of 257 bytes": join(section(1, make([]byte, 257)), one[8:])}
	for i, at := range []int{11, 27, 28, 29, 30} { // until before created, uses, left
		seeds[fmt.Sprintf("changed %d", i)] = edited(one, at+8, 0xff)
	}
	for _, n := range []int{1, 2, 8, 9, 11, 40, len(one) - 1} {
		seeds[fmt.Sprintf("cut to %d", n)] = one[:n]
	}
	return seeds
}

func TestWhatIsNotBypassCodesIsRefused(t *testing.T) {
	seeds := bypassSeeds(t)
	if len(seeds) != 25 {
		t.Errorf("%d seeds", len(seeds))
	}
	for sentence, b := range seeds {
		user, all, err := decodeBypasses(b)
		good := strings.HasPrefix(sentence, "good")
		if good && (err != nil || user != "alice") || !good && !strings.HasPrefix(sentence, "changed") && (!errors.Is(err, ErrFormat) || all != nil || user != "") {
			t.Errorf("%s: %q, %v, %v", sentence, user, all, err)
		}
	}
}

func FuzzDecodeBypasses(f *testing.F) {
	for _, b := range bypassSeeds(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		user, all, err := decodeBypasses(b)
		if err != nil {
			if !errors.Is(err, ErrFormat) || all != nil || user != "" {
				t.Fatalf("%q, %v with %v", user, all, err)
			}
			return
		}
		if again, err := encodeBypasses(user, all); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("accepted\n%x\nand gave back\n%x (%v)", b, again, err)
		}
	})
}

func TestABypassIsNotPrinted(t *testing.T) {
	b := exampleBypass()
	for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%s"} {
		if text := fmt.Sprintf(verb, b); text != "bypass d1d2d3d4" {
			t.Errorf("%s: %q", verb, text)
		}
	}
}
