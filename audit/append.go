package audit

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"twokey/internal/safefile"
	"twokey/internal/slotfile"
)

// What appending must and must not do, each with a test that quotes it:
//
//   - MUST return nil only when the record is in the log and synchronised, or counted as one refusal too many in a minute. Attack:
//     fill the disk, then log in.
//   - MUST write the log before the head, so that a head ahead of the log always means that records were lost or taken away.
//   - MUST adopt records behind the head only with the right chain and seal. Attack: append a line without the sealing key.
//   - MUST NOT leave the sealing key of a written record in the head, in neither slot. Attack: root by a stolen login
//     rewrites the record of that login, which is the last one, and seals it.
//   - MUST NOT truncate the log: that frees the reserved space, and the evidence.
//   - MUST name in the next record whatever stands between it and the last good record, and what the log has lost.
//   - MUST go on for as long as there is reserved space, also when the disk is full. Attack: fill the disk, lock everybody out.
//   - MUST NOT let any text begin a new line or reach a terminal as an escape sequence.
//   - MUST NOT record the name of an unknown user, which is often a password.
const (
	reserveLow  = 512 << 10 // bytes: below this,
	reserveStep = 1 << 20   // so many are reserved behind the end
	// A longer walk than this (some 150000 records, a third of a second) would come near the 3 s after which those who wait for
	// the lock take its holder for frozen.
	maxBehind = 64 << 20
	// lastLook is how far back from its end a log that has lost records is searched for the last one that it still has.
	lastLook = 4 << 20
)

// logRules: the log may be of any size.
var logRules = safefile.Rules{MaxSize: 1 << 62, Forbid: 0o077}

// Append adds a record to the log at an absolute path. When it returns nil the record is synchronised; when it returns an error
// the event counts as not recorded, and a login must be refused: [ErrHead], slotfile.ErrTimeout, an error of safefile, or one of
// the system, such as ENOSPC.
//
// Of the refused logins beyond 100 in a minute Append only keeps a number; it returns nil for them too. Those calls synchronise
// once instead of twice; the difference tells only whoever sends the flood that there is one.
func Append(path string, r Record) error {
	if err := r.appendable(); err != nil {
		return err
	}
	return appendChecked(path, &r)
}

func appendChecked(path string, r *Record) error {
	w, err := openWriter(path)
	if err != nil {
		return err
	}
	return errors.Join(w.appendAll([]Record{*r}), w.close())
}

// writer is the log with the lock of its head.
type writer struct {
	dir   *safefile.Dir
	slots *slotfile.File
	log   *os.File
	head  head
	size  int64 // of the log
	gap   gap
	buf   []byte
}

// gap is what stands between the last good record and the end of the log.
type gap struct {
	repair Repair
	mark   string // what must be written to end its last line
}

func openWriter(path string) (*writer, error) {
	dirName, logName, headName, err := names(path)
	if err != nil {
		return nil, err
	}
	w := &writer{}
	if w.dir, err = safefile.OpenLogDir(dirName); err != nil {
		return nil, err
	}
	if err = w.open(logName, headName); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

func (w *writer) open(logName, headName string) (err error) {
	w.slots, err = slotfile.Acquire(w.dir, headName, headKind)
	if errors.Is(err, slotfile.ErrTimeout) {
		return err
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrHead, err)
	}
	if w.head, err = decodeHead(w.slots.Value()); err != nil {
		return err
	}
	if w.log, err = openLog(w.dir, logName); err != nil {
		return err
	}
	if w.size, err = sizeOf(w.log); err != nil {
		return err
	}
	return w.catchUp()
}

// openLog makes the log new when it is gone: all that it held is then named as missing. To refuse would let one rm lock
// everybody out, and bring nothing back.
func openLog(dir *safefile.Dir, name string) (*os.File, error) {
	f, err := dir.Open(name, unix.O_RDWR|unix.O_APPEND, logRules)
	if !errors.Is(err, os.ErrNotExist) {
		return f, err
	}
	if f, err = dir.Create(name, unix.O_RDWR|unix.O_APPEND, 0o600); err != nil {
		return nil, err
	}
	if err := dir.Sync(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (w *writer) close() error {
	var err error
	if w.log != nil {
		err = w.log.Close()
	}
	if w.slots != nil {
		err = errors.Join(err, w.slots.Close())
	}
	return errors.Join(err, w.dir.Close())
}

// catchUp brings the head to the end of the log and finds out what stands behind that.
func (w *writer) catchUp() error {
	there, err := w.head.endsIn(w.log, w.size)
	switch {
	case err != nil:
		return err
	case !there:
		err = w.findLost()
	default:
		err = w.adopt()
	}
	if err != nil {
		return err
	}
	return w.measureGap()
}

// endsIn reports whether the log has the last record that the head knows where the head says. It is the hash in its line that is
// looked at; whether the record is unchanged is for Verify to say.
func (p *position) endsIn(log *os.File, size int64) (bool, error) {
	if size < p.offset || p.sequence == 0 {
		return size >= p.offset, nil
	}
	hashPart := make([]byte, suffixSize+len("\n"))
	if _, err := log.ReadAt(hashPart, p.offset-int64(len(hashPart))); err != nil {
		return false, err
	}
	return cutLiteral(&hashPart, beginHash+p.hash.String()), nil
}

// adopt takes over the records that were written after the head was: by a process that was killed, or before the power failed.
func (w *writer) adopt() error {
	if w.size == w.head.offset {
		return nil
	}
	if w.size-w.head.offset > maxBehind {
		return fmt.Errorf("%w: the log is %d bytes ahead of it", ErrHead, w.size-w.head.offset)
	}
	in := newLines(w.log, w.head.offset, w.size)
	for {
		c, err := in.nextRecord(true)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		good, err := w.head.accepts(w.log, c, &w.buf)
		if err != nil || !good {
			return err
		}
		w.take(c)
	}
}

func (w *writer) take(c *candidate) {
	w.head.advance(c)
	if c.record.Action == ActionSummed {
		w.head.refusals.written()
	}
}

// findLost finds the last record of a log that has no longer the one that the head knows. What it finds may be forged: the number
// of missing records is for the reader of the log, Verify counts by itself.
func (w *writer) findLost() error {
	end := max(0, w.size-lastLook)
	in := newLines(w.log, end, w.size)
	var last uint64
	for {
		c, err := in.nextRecord(true)
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if c.record.Repair.PreviousHash == w.head.hash && w.head.resumes(c, &w.buf) {
			w.take(c) // the one that was to follow the loss is there, and its writer was killed before it wrote the head
			return w.adopt()
		}
		last, end = c.record.Sequence, c.end
	}
	w.gap.repair.PreviousHash = w.head.hash
	w.gap.repair.MissingRecords = w.head.sequence - min(last, w.head.sequence)
	w.head.offset = end
	return nil
}

// tornMark ends a torn line, so that the line cannot turn into a record that lacked only its newline.
const tornMark = "~\n"

// measureGap counts and hashes the bytes behind the last good record, with the mark that will end them.
func (w *writer) measureGap() error {
	if w.size == w.head.offset {
		return nil
	}
	var last [1]byte
	if _, err := w.log.ReadAt(last[:], w.size-1); err != nil {
		return err
	}
	if last[0] != '\n' {
		w.gap.mark = tornMark
	}
	sum, err := hashOf(w.log, w.head.offset, w.size, w.gap.mark)
	w.gap.repair.SkippedBytes = uint64(w.size - w.head.offset + int64(len(w.gap.mark)))
	w.gap.repair.SkippedHash = sum
	return err
}

// addLine appends a record's line to out, behind which the log will then end.
func (w *writer) addLine(out []byte, r *Record) []byte {
	r.Sequence = w.head.sequence + 1
	r.Repair, w.gap.repair = w.gap.repair, Repair{}
	r.UserHash, r.UserLength = "", 0
	if r.UnknownUser != "" {
		r.UserHash, r.UserLength = nameHash(w.head.nameKey, r.UnknownUser), uint64(len(r.UnknownUser))
	}
	body := encode(r)
	hash := chain(&w.buf, w.head.hash, body)
	out = append(out, line(body, hash, w.head.key.seal(hash))...)
	w.head.position = position{r.Sequence, w.size + int64(len(out)), hash, true, w.head.key.after(1)}
	return out
}

// reserve keeps space behind the end of the log that belongs to it already. That it fails is no error: the disk is full, and
// what was reserved before is there to be used now.
func (w *writer) reserve(need int64) {
	var st unix.Stat_t
	if unix.Fstat(int(w.log.Fd()), &st) == nil && st.Blocks*512-w.size < reserveLow+need {
		unix.Fallocate(int(w.log.Fd()), unix.FALLOC_FL_KEEP_SIZE, w.size, reserveStep+need)
	}
}

// writeLog writes with one write(2) at the end (O_APPEND) and synchronises. What is written of a failed one is a torn tail.
func (w *writer) writeLog(b []byte) error {
	fail := func(op string, err error) error { return &os.PathError{Op: op, Path: w.log.Name(), Err: err} }
	n, err := unix.Write(int(w.log.Fd()), b)
	if err == nil && n != len(b) {
		err = io.ErrShortWrite // no second try: the record must come from one write
	}
	if err != nil {
		return fail("write", err)
	}
	if err := unix.Fdatasync(int(w.log.Fd())); err != nil {
		return fail("sync", err)
	}
	return nil
}

// saveHead puts the head into both slots. The one with the sealing key of the record just written would be there until the next
// record; between the two writes the first must be on the disk, or a crash could find neither slot whole.
func (w *writer) saveHead() error {
	value := w.head.encode()
	if err := w.slots.Write(value); err != nil {
		return err
	}
	if err := w.slots.Sync(); err != nil {
		return err
	}
	return w.slots.Write(value)
}

func sizeOf(f *os.File) (int64, error) {
	st, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return st.Size(), nil
}
