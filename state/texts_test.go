package state

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"twokey/internal/slotfile"
)

func TestHowManyTextsAHostSendsInAnHour(t *testing.T) {
	s := withMessages(t, t.TempDir())
	const perHour = 7
	var sent []time.Time
	for now := noon; now.Before(noon.Add(6 * time.Hour)); now = now.Add(90 * time.Second) {
		switch err := s.TakeText(now, perHour); {
		case err == nil:
			sent = append(sent, now)
		case !errors.Is(err, ErrHostLimit):
			t.Fatal(err)
		}
		n := 0
		for _, at := range sent {
			if now.Sub(at) < time.Hour {
				n++
			}
		}
		if n > perHour {
			t.Fatalf("%d texts in the hour before %v", n, now)
		}
	}
	if len(sent) < 5*perHour || len(sent) > 6*perHour {
		t.Errorf("%d texts in six hours, want about %d", len(sent), 6*perHour)
	}
	n, err := s.TextsToday(noon.Add(6 * time.Hour))
	if err != nil || n != len(sent) {
		t.Errorf("%d texts today, %v, want %d", n, err, len(sent))
	}
	if n, err := s.TextsToday(noon.Add(31 * time.Hour)); err != nil || n != 0 {
		t.Errorf("%d texts today, a day later, %v", n, err)
	}
}

func TestTheHostsCapIsNotWhatNobodyMayAskFor(t *testing.T) {
	s := withMessages(t, t.TempDir())
	for _, perHour := range []int{0, -1} {
		wantErr(t, fmt.Sprint(perHour), s.TakeText(noon, perHour), ErrHostLimit)
	}
	must(t, s.withTexts(func(f *slotfile.File) error {
		return errors.Join(f.Write(encodeTexts([]pieceCount{{pieceOf(noon), perHourMax}})), f.Sync())
	}))
	wantErr(t, "ten thousand and one", s.TakeText(noon, 1<<30), ErrHostLimit)
}

// Attack: have the clock set back, and the hour of a full cap lies in the future.
func TestAClockThatIsSetBackGivesTheHostNoMore(t *testing.T) {
	s := withMessages(t, t.TempDir())
	for range 3 {
		must(t, s.TakeText(noon, 3))
	}
	for _, back := range []time.Duration{time.Second, 10 * time.Minute, 30 * time.Hour, 24 * 365 * 50 * time.Hour} {
		now := noon.Add(-back)
		wantErr(t, back.String()+" back", s.TakeText(now, 3), ErrHostLimit)
		if n, err := s.TextsToday(now); n != 3 || err != nil {
			t.Errorf("%v back: %d texts today, %v", back, n, err)
		}
	}
	last := noon.Add(-24 * 365 * 50 * time.Hour)
	wantErr(t, "an hour later", s.TakeText(last.Add(66*time.Minute), 1), nil)
}

// childTexts takes from the host's cap until there is nothing left, as a login of one of many users does.
func childTexts(data string) error {
	s, err := Open(data)
	if err != nil {
		return err
	}
	taken := 0
	for {
		err := s.Update("alice", func(*Tx) error { return s.TakeText(noon, 40) })
		if errors.Is(err, ErrHostLimit) {
			break
		}
		if err != nil {
			return err
		}
		taken++
	}
	fmt.Println(strings.Repeat("x", taken))
	return s.Close()
}

func TestManyProcessesAtOnceTakeTheHostsCapAndNoMore(t *testing.T) {
	data := t.TempDir()
	withBypasses(t, data) // and no file of texts: they make it at once
	var all []*exec.Cmd
	var out [6]bytes.Buffer
	for i := range out {
		cmd := childCommand(t, "texts", data)
		cmd.Stdout = &out[i]
		must(t, cmd.Start())
		all = append(all, cmd)
	}
	taken := 0
	for i, cmd := range all {
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v: %s", err, out[i].String())
		}
		taken += strings.Count(out[i].String(), "x")
	}
	if taken != 40 {
		t.Errorf("%d texts were taken, want 40", taken)
	}
}

func TestADamagedFileOfTextsSendsNone(t *testing.T) {
	data := t.TempDir()
	s := withMessages(t, data)
	must(t, os.WriteFile(data+"/texts", []byte("rubbish"), 0o600))
	if err := s.TakeText(noon, 10); !IsDamaged(err) {
		t.Errorf("%v", err)
	}
	if n, err := s.TextsToday(noon); !IsDamaged(err) || n != 0 {
		t.Errorf("%d, %v", n, err)
	}
}

// textsSeeds are values with what is to become of them.
func textsSeeds() map[string][]byte {
	entry := func(at, count byte) []byte { return []byte{0, 0, 1, at, 0, 0, 0, count} }
	full := []byte{}
	for i := range maxPieces {
		full = append(full, 0, 0, byte(i>>8), byte(i), 0xff, 0xff, 0xff, 0xff)
	}
	return map[string][]byte{"good: nothing": {}, "good: one": entry(1, 1), "good: two": join(entry(1, 1), entry(2, 200)), "good: the fullest": full,
		"one too many": join(full, []byte{0, 1, 0, 0, 0, 0, 0, 1}), "a byte too many": join(entry(1, 1), []byte{0}), "a byte": {0},
		"a piece twice": join(entry(1, 1), entry(1, 1)), "descending": join(entry(2, 1), entry(1, 1)), "a piece without texts": entry(1, 0)}
}

func TestWhatIsNotTextsIsRefused(t *testing.T) {
	seeds := textsSeeds()
	if len(seeds) != 10 || len(seeds["good: the fullest"]) > slotfile.MaxValue {
		t.Errorf("%d seeds", len(seeds))
	}
	for sentence, b := range seeds {
		all, err := decodeTexts(b)
		if good := strings.HasPrefix(sentence, "good"); good != (err == nil) || !good && (!errors.Is(err, ErrFormat) || all != nil) {
			t.Errorf("%s: %v, %v", sentence, all, err)
		}
	}
}

func FuzzDecodeTexts(f *testing.F) {
	for _, b := range textsSeeds() {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		all, err := decodeTexts(b)
		if err != nil {
			return
		}
		if again := encodeTexts(all); !bytes.Equal(again, b) {
			t.Fatalf("accepted\n%x\nand gave back\n%x", b, again)
		}
		if again := encodeTexts(oneMore(textsAt(all, noon), noon)); len(again) > slotfile.MaxValue {
			t.Fatalf("one more takes %d bytes", len(again))
		} else if _, err := decodeTexts(again); err != nil {
			t.Fatalf("one more: %v", err)
		}
	})
}
