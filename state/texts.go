package state

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"math"
	"time"

	"twokey/internal/safefile"
	"twokey/internal/slotfile"
)

// # Texts of the host
//
// texts, in the data folder, is a slotfile of kind "texts" (see internal/slotfile) with a lock of its own, which is taken under that of a
// user's state. It says how many texts the host has sent: entries of 8 bytes, big endian, at most 289, in ascending order:
//
//	4 bytes  a piece of five minutes: seconds since 1970, divided by 300
//	4 bytes  how many texts were sent in it, at least 1
//
// # Example
//
// At 12:00 UTC on 2026-11-21 two texts were sent, and one at 12:06.
//
//	005b4fd0 00000002
//	005b4fd1 00000001
const (
	textsKind = "texts"
	textsName = "texts"

	piece      = 5 * time.Minute
	textsHour  = time.Hour
	pieceSize  = 8
	maxPieces  = int(textsDay/piece) + 1
	perHourMax = 10000
)

// pieceCount is how many texts were sent in a piece of time.
type pieceCount struct {
	piece uint32
	count uint32
}

// TakeText takes one text from the host's cap, perHour (1 to 10000) in every hour: ErrHostLimit. It is called under the lock of a user's
// state, never the other way round. When it returns nil, the text is counted on the disk, whether it is sent or not.
//
// Attack: have texts sent to many users' phones, a few to each, and so spend the owner's money.
func (s *Store) TakeText(now time.Time, perHour int) error {
	return s.withTexts(func(file *slotfile.File) error {
		all, err := decodeTexts(file.Value())
		if err != nil {
			return err
		}
		ahead := len(all) > 0 && all[len(all)-1].piece > pieceOf(now.Add(clockSlack))
		all = textsAt(all, now)
		full := sum(all, now, textsHour) >= min(perHour, perHourMax)
		switch {
		case full && !ahead:
			return ErrHostLimit
		case !full:
			all = oneMore(all, now)
		}
		// Also when it is full: what a clock has put ahead would else count as of now until the clock is there again.
		err = errors.Join(file.Write(encodeTexts(all)), file.Sync())
		if full {
			err = errors.Join(ErrHostLimit, err)
		}
		return err
	})
}

// TextsToday is how many texts this host has sent in the last 24 hours, five minutes more or less.
func (s *Store) TextsToday(now time.Time) (int, error) {
	dir, err := safefile.OpenDir(s.data)
	if err != nil {
		return 0, err
	}
	defer dir.Close()
	value, err := slotfile.Read(dir, textsName, textsKind)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	all, err := decodeTexts(value)
	if err != nil {
		return 0, err
	}
	return sum(textsAt(all, now), now, textsDay), nil
}

// prepareTexts makes the file while there is room for it.
func (s *Store) prepareTexts() error {
	return s.withTexts(func(*slotfile.File) error { return nil })
}

// withTexts calls fn with the lock of the file, which is made if it is missing.
func (s *Store) withTexts(fn func(*slotfile.File) error) error {
	dir, err := safefile.OpenDir(s.data)
	if err != nil {
		return err
	}
	defer dir.Close()
	file, err := slotfile.Acquire(dir, textsName, textsKind)
	if errors.Is(err, fs.ErrNotExist) {
		if err := slotfile.Create(dir, textsName, textsKind, nil); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		file, err = slotfile.Acquire(dir, textsName, textsKind)
	}
	if err != nil {
		return err
	}
	return errors.Join(fn(file), file.Close())
}

// pieceOf is the piece that a time lies in; all before 1970 is one.
func pieceOf(at time.Time) uint32 { return uint32(max(0, at.Unix()) / int64(piece/time.Second)) }

// textsAt leaves out what is older than a day. What lies in the future counts as sent now: a clock that was set back gives nothing.
func textsAt(all []pieceCount, now time.Time) (kept []pieceCount) {
	present, oldest := pieceOf(now), pieceOf(now.Add(-textsDay))
	ahead := uint64(0)
	for _, p := range all {
		switch {
		case p.piece >= present:
			ahead += uint64(p.count)
		case p.piece >= oldest:
			kept = append(kept, p)
		}
	}
	if ahead > 0 {
		kept = append(kept, pieceCount{present, uint32(min(ahead, math.MaxUint32))})
	}
	return kept
}

// oneMore counts one text now.
func oneMore(all []pieceCount, now time.Time) []pieceCount {
	present := pieceOf(now)
	if n := len(all); n > 0 && all[n-1].piece == present {
		all[n-1].count = max(all[n-1].count, all[n-1].count+1)
		return all
	}
	return append(all, pieceCount{present, 1})
}

// sum is how many were sent in the last d, and in the piece in which that began: never fewer than in any such time.
func sum(all []pieceCount, now time.Time, d time.Duration) (n int) {
	for _, p := range all {
		if p.piece >= pieceOf(now.Add(-d)) {
			n += int(p.count)
		}
	}
	return n
}

func encodeTexts(all []pieceCount) (b []byte) {
	for _, p := range all[max(0, len(all)-maxPieces):] {
		b = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, p.piece), p.count)
	}
	return b
}

func decodeTexts(b []byte) (all []pieceCount, err error) {
	if len(b)%pieceSize != 0 || len(b) > maxPieces*pieceSize {
		return nil, ErrFormat
	}
	for ; len(b) > 0; b = b[pieceSize:] {
		p := pieceCount{binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])}
		if n := len(all); p.count == 0 || n > 0 && all[n-1].piece >= p.piece {
			return nil, ErrFormat
		}
		all = append(all, p)
	}
	return all, nil
}
