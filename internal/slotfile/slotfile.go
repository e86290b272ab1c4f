// Package slotfile keeps a small value that changes often, so that a full disk does not stop the change, a crash leaves a good
// value, and a process that is frozen while it holds the lock does not keep others out.
//
// # Format
//
// Three blocks of 4096 bytes: slot A, slot B, holder. All are written in full when the file is made, so that every later write
// goes to space that the file already has (ext4, xfs; on btrfs only without copy on write). A slot, numbers big endian:
//
//	offset 0     8 bytes   "twokey1\n"
//	offset 8     8 bytes   the kind of file ("state", "audit"), filled up with zero bytes
//	offset 16    8 bytes   generation, from 1
//	offset 24    4 bytes   length of the value, at most 4036
//	offset 28              the value, filled up with zero bytes
//	offset 4064  32 bytes  SHA-256 of all that stands before it
//
// The value of the file is that of the good slot with the highest generation. Whoever holds the lock writes to the *other* slot,
// as often as he likes, and changes sides only after fdatasync: so the last synchronised value is never overwritten.
//
// The holder block names who has the lock: 4 bytes process, 8 bytes start of that process, 8 bytes time of locking (nanoseconds
// since boot); all zero when nobody has it and the value is synchronised. A block that the one before has left filled tells the
// next holder to synchronise before he writes. Where both slots are good and say the same he need not: the older one is on the disk, for
// nobody writes to the other before it is, and he writes over the newer one, which may not be. The lock itself is an open file
// description lock (fcntl(2), F_OFD_SETLKW) on the whole file, which the kernel drops when its holder dies, however he dies.
//
// A file with the sticky bit (01600), which means nothing else on a file, is one that a batch is putting in place, or was when it was
// killed: of it slot A counts, whatever stands in slot B. Slot A of a batch has generation 2 and slot B 3, where any other file begins with
// 1. As long as they do, the bit may be on the disk still, and whoever takes the lock synchronises it first: fdatasync(2) would not.
package slotfile

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"twokey/internal/safefile"
)

const (
	blockSize    = 4096
	fileSize     = 3 * blockSize
	holderOffset = 2 * blockSize
	valueOffset  = 28
	sumOffset    = blockSize - sha256.Size
	magic        = "twokey1\n"
	kindSize     = 8
)

// MaxValue is the largest value in bytes.
const MaxValue = sumOffset - valueOffset

// Errors of this package.
var (
	ErrCorrupt = errors.New("neither slot is whole")
	ErrTimeout = errors.New("the lock was not to be had in time")
)

var rules = safefile.Rules{MaxSize: fileSize, Forbid: 0o077}

// slot is one decoded slot.
type slot struct {
	generation uint64
	value      []byte
}

// encodeSlot fills a block that is all zero.
func encodeSlot(b []byte, kind string, s slot) error {
	if len(s.value) > MaxValue || len(kind) > kindSize {
		return fmt.Errorf("slotfile: a value of %d bytes does not fit into %d", len(s.value), MaxValue)
	}
	copy(b, magic)
	copy(b[8:16], kind)
	binary.BigEndian.PutUint64(b[16:], s.generation)
	binary.BigEndian.PutUint32(b[24:], uint32(len(s.value)))
	copy(b[valueOffset:], s.value)
	sum := sha256.Sum256(b[:sumOffset])
	copy(b[sumOffset:], sum[:])
	return nil
}

// decodeSlot returns false for anything but the exact bytes that encodeSlot gives. The value is a part of b.
func decodeSlot(kind string, b []byte) (slot, bool) {
	if len(b) != blockSize || string(b[:8]) != magic || !filledUp(b[8:16], kind) {
		return slot{}, false
	}
	generation, n := binary.BigEndian.Uint64(b[16:]), binary.BigEndian.Uint32(b[24:])
	if generation == 0 || n > MaxValue || !zero(b[valueOffset+n:sumOffset]) || sha256.Sum256(b[:sumOffset]) != [sha256.Size]byte(b[sumOffset:]) {
		return slot{}, false
	}
	return slot{generation, b[valueOffset : valueOffset+n : valueOffset+n]}, true
}

// filledUp reports whether a field has this text and zero bytes behind it.
func filledUp(field []byte, text string) bool {
	return len(text) <= len(field) && string(field[:len(text)]) == text && zero(field[len(text):])
}

func zero(b []byte) bool {
	var none [blockSize]byte
	return bytes.Equal(b, none[:len(b)])
}

// batchGeneration is that of slot A of a file that a batch has made.
const batchGeneration = 2

// inBatch is the permission of a file that a batch is putting in place, and complete that of any other.
const (
	inBatch  = unix.S_ISVTX | complete
	complete = 0o600
)

// current chooses between the two slots of a file of this mode and says which one it is, 0 or 1. The value is a part of the content.
func current(kind string, content []byte, mode uint32) (s slot, index int, err error) {
	if len(content) != fileSize {
		return slot{}, 0, ErrCorrupt
	}
	if mode&unix.S_ISVTX != 0 {
		s, whole := decodeSlot(kind, content[:blockSize])
		if !whole {
			return slot{}, 0, ErrCorrupt
		}
		return s, 0, nil
	}
	a, b := content[:blockSize], content[blockSize:holderOffset]
	newer := 0
	if binary.BigEndian.Uint64(b[16:]) > binary.BigEndian.Uint64(a[16:]) {
		newer = 1
	}
	for _, i := range [...]int{newer, 1 - newer} { // mostly the sum of one is all that has to be made
		if s, ok := decodeSlot(kind, content[i*blockSize:(i+1)*blockSize]); ok {
			return s, i, nil
		}
	}
	return slot{}, 0, ErrCorrupt
}

// twins reports whether both slots are whole and have the same value.
func twins(content []byte) bool {
	if len(content) != fileSize {
		return false
	}
	a, b := content[:blockSize], content[blockSize:holderOffset]
	same := bytes.Equal(a[:16], b[:16]) && bytes.Equal(a[24:sumOffset], b[24:sumOffset]) // all but the generations
	return same && sha256.Sum256(a[:sumOffset]) == [sha256.Size]byte(a[sumOffset:]) && sha256.Sum256(b[:sumOffset]) == [sha256.Size]byte(b[sumOffset:])
}

// ofBatch reports whether nobody has written to a file since a batch has made it.
func ofBatch(content []byte) bool {
	return binary.BigEndian.Uint64(content[16:]) == batchGeneration && binary.BigEndian.Uint64(content[blockSize+16:]) == batchGeneration+1
}

// Create makes a file that must not exist yet (fs.ErrExist), 0600, with a first value.
func Create(dir *safefile.Dir, name, kind string, value []byte) error {
	var content [fileSize]byte
	if err := encodeSlot(content[:blockSize], kind, slot{1, value}); err != nil {
		return err
	}
	return dir.WriteNew(name, content[:], 0o600)
}

// CreateIn is Create as part of a batch, see safefile.WriteAll: the lock is had from the beginning until the set is in place. Then the file
// has another value, which is on the disk already: what makes it count is a bit of the file's permissions, which are written with its
// name, and not one more block for each of many files.
func CreateIn(set *safefile.Set, dir *safefile.Dir, name, kind string, value, then []byte) error {
	var content [fileSize]byte
	if err := encodeSlot(content[:blockSize], kind, slot{batchGeneration, value}); err != nil {
		return err
	}
	if err := encodeSlot(content[blockSize:holderOffset], kind, slot{batchGeneration + 1, then}); err != nil {
		return err
	}
	return set.WriteNewLocked(dir, name, content[:], inBatch, lockNew, func(fd int) error { return unix.Fchmod(fd, complete) })
}

// Read returns the value without taking the lock: what was last written, or, while somebody is writing, one before.
func Read(dir *safefile.Dir, name, kind string) ([]byte, error) {
	var content [fileSize + 1]byte // not allocated: of a list of many users it would be most of the garbage
	n, mode, err := dir.ReadInto(content[:], name, rules)
	if err != nil {
		return nil, err
	}
	if s, _, err := current(kind, content[:n], mode); err == nil {
		return bytes.Clone(s.value), nil
	}
	// It is damaged, or a writer was fast enough to spoil one slot after the other while they were read. Under the lock nobody is.
	f, err := Acquire(dir, name, kind)
	if err != nil {
		return nil, err
	}
	value := f.Value()
	if err := f.Close(); err != nil {
		return nil, err
	}
	return value, nil
}

// File is a file whose lock is held.
type File struct {
	f        *os.File
	kind     string
	last     slot // what was written last
	good     int  // the slot that is synchronised and must not be touched
	unsynced bool
	lost     error // of a Sync that failed, until the next Write
}

// Acquire opens the file and takes its lock; it waits at most ten seconds. A file that does not exist is fs.ErrNotExist.
func Acquire(dir *safefile.Dir, name, kind string) (*File, error) {
	f, err := acquire(dir, name)
	if err != nil {
		return nil, err
	}
	var content [fileSize + 1]byte
	var about unix.Stat_t
	n, err := unix.Pread(int(f.Fd()), content[:], 0)
	if err = errors.Join(err, unix.Fstat(int(f.Fd()), &about)); err != nil {
		return nil, errors.Join(&os.PathError{Op: "read", Path: f.Name(), Err: err}, f.Close())
	}
	s, index, err := current(kind, content[:n], about.Mode)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", f.Name(), err), f.Close())
	}
	file := &File{f: f, kind: kind, last: slot{s.generation, bytes.Clone(s.value)}, good: index}
	switch {
	case about.Mode&unix.S_ISVTX != 0:
		if err := leaveBatch(f); err != nil {
			return nil, errors.Join(&os.PathError{Op: "write", Path: f.Name(), Err: err}, f.Close())
		}
	case twins(content[:n]):
		file.good, file.unsynced = 1-index, true
	case ofBatch(content[:n]):
		if err := unix.Fsync(int(f.Fd())); err != nil {
			return nil, errors.Join(&os.PathError{Op: "sync", Path: f.Name(), Err: err}, f.Close())
		}
	}
	return file, nil
}

// leaveBatch makes a file, whose batch was killed before it was in place, one as any other. Slot B goes first: it must never count.
func leaveBatch(f *os.File) error {
	fd := int(f.Fd())
	var nothing [blockSize]byte
	if n, err := unix.Pwrite(fd, nothing[:], blockSize); err != nil || n != blockSize {
		return errors.Join(unix.EIO, err)
	}
	if err := unix.Fdatasync(fd); err != nil {
		return err
	}
	if err := unix.Fchmod(fd, complete); err != nil {
		return err
	}
	return unix.Fsync(fd)
}

// Value returns the value as it was written last. The caller must not change it.
func (f *File) Value() []byte { return f.last.value }

// Write puts a new value into the file, in place. It is visible to others at once and durable only after Sync.
func (f *File) Write(value []byte) error {
	next := slot{f.last.generation + 1, bytes.Clone(value)}
	var b [blockSize]byte
	if err := encodeSlot(b[:], f.kind, next); err != nil {
		return err
	}
	n, err := unix.Pwrite(int(f.f.Fd()), b[:], int64((1-f.good)*blockSize))
	if err == nil && n != len(b) {
		err = unix.EIO
	}
	if err != nil {
		return &os.PathError{Op: "write", Path: f.f.Name(), Err: err}
	}
	f.last, f.unsynced, f.lost = next, true, nil
	return nil
}

// Sync makes the value durable with fdatasync(2). After an error it fails until the value is written again: the kernel forgets
// which pages it could not write, and would say yes the next time.
func (f *File) Sync() error {
	if !f.unsynced || f.lost != nil {
		return f.lost
	}
	if err := unix.Fdatasync(int(f.f.Fd())); err != nil {
		f.lost = &os.PathError{Op: "sync", Path: f.f.Name(), Err: err}
		return f.lost
	}
	f.good, f.unsynced = 1-f.good, false
	return nil
}

// Close gives the lock back. What was written and not synchronised stays written.
func (f *File) Close() error {
	if !f.unsynced {
		_ = writeHolder(int(f.f.Fd()), holder{}) // if it stays filled, the next holder has one fdatasync more to do
	}
	return f.f.Close()
}
