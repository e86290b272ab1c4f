package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"

	"twokey/internal/safefile"
	"twokey/internal/slotfile"
)

// ErrHead says that audit.head is missing, unreadable or does not fit the log: nothing can be appended before [Restart].
var ErrHead = errors.New("the head of the audit log cannot be used")

const (
	headKind  = "audit" // of the slotfile
	headMagic = "audit 1\n"
	headSize  = 152
)

// head is the value of audit.head: all that appending needs to know of the log.
type head struct {
	position
	nameKey  [sha256.Size]byte
	refusals refusals
}

func (h *head) encode() []byte {
	b := make([]byte, 0, headSize)
	b = append(b, headMagic...)
	b = binary.BigEndian.AppendUint64(b, h.sequence)
	b = binary.BigEndian.AppendUint64(b, uint64(h.offset))
	b = append(b, h.hash[:]...)
	b = append(b, h.key[:]...)
	b = append(b, h.nameKey[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(h.refusals.minute))
	b = binary.BigEndian.AppendUint32(b, h.refusals.counted)
	b = binary.BigEndian.AppendUint32(b, h.refusals.suppressed)
	b = binary.BigEndian.AppendUint64(b, uint64(h.refusals.first))
	return binary.BigEndian.AppendUint64(b, uint64(h.refusals.last))
}

func decodeHead(b []byte) (head, error) {
	if len(b) != headSize || string(b[:8]) != headMagic {
		return head{}, fmt.Errorf("%w: not a head of version 1", ErrHead)
	}
	sequence, offset := binary.BigEndian.Uint64(b[8:]), binary.BigEndian.Uint64(b[16:])
	minute, first, last := binary.BigEndian.Uint64(b[120:]), binary.BigEndian.Uint64(b[136:]), binary.BigEndian.Uint64(b[144:])
	h := head{
		position: position{sequence, int64(offset), Hash(b[24:56]), true, sealingKey(b[56:88])},
		nameKey:  [sha256.Size]byte(b[88:120]),
		refusals: refusals{
			minute:     int64(minute),
			counted:    binary.BigEndian.Uint32(b[128:]),
			suppressed: binary.BigEndian.Uint32(b[132:]),
			first:      int64(first),
			last:       int64(last),
		},
	}
	empty := sequence == 0
	if sequence > maxNumber || h.refusals.counted > refusalsAMinute || max(offset, minute, first, last) > math.MaxInt64 ||
		empty && (offset != 0 || h.hash != Hash{}) || !empty && offset <= uint64(suffixSize) {
		return head{}, fmt.Errorf("%w: its values contradict each other", ErrHead)
	}
	return h, nil
}

// names splits the path of a log into the directory, the log's name and the head's: the same with .head for the extension.
func names(path string) (dir, log, headName string, err error) {
	dir, log = filepath.Dir(path), filepath.Base(path)
	extension := filepath.Ext(log)
	headName = strings.TrimSuffix(log, extension) + ".head"
	if !filepath.IsAbs(path) || headName == log || headName == ".head" {
		return "", "", "", fmt.Errorf("audit: %q cannot be the path of a log", path)
	}
	return dir, log, headName, nil
}

// readHead reads the head without its lock.
func readHead(dir *safefile.Dir, name string) (head, error) {
	value, err := slotfile.Read(dir, name, headKind)
	if err != nil {
		return head{}, fmt.Errorf("%w: %w", ErrHead, err)
	}
	return decodeHead(value)
}

// Checkpoint names the last record of a log. Kept away from the host, it tells later whether the log still has that record.
type Checkpoint struct {
	Sequence uint64 // 0: the log was empty
	Hash     Hash
}

// ReadCheckpoint reads the checkpoint from the head.
func ReadCheckpoint(path string) (Checkpoint, error) {
	dirName, _, headName, err := names(path)
	if err != nil {
		return Checkpoint{}, err
	}
	dir, err := safefile.OpenLogDir(dirName)
	if err != nil {
		return Checkpoint{}, err
	}
	defer dir.Close()
	h, err := readHead(dir, headName)
	if err != nil {
		return Checkpoint{}, err
	}
	return Checkpoint{h.sequence, h.hash}, nil
}
