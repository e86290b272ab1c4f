package audit

import (
	"crypto/sha256"
	"io"
	"os"
)

// position is the end of a record: what it takes to judge, or to write, the next one.
type position struct {
	sequence uint64 // of the last record; 0: none yet
	offset   int64  // where that record ends in the log
	hash     Hash   // of that record
	keyed    bool   // the sealing key of the next record is known
	key      sealingKey
}

// follows reports whether a record is the next one, by number, chain and, if the key is known, seal.
func (p *position) follows(c *candidate, buf *[]byte) bool {
	return c.record.Sequence == p.sequence+1 && c.record.Repair.PreviousHash == Hash{} &&
		chain(buf, p.hash, c.body) == c.hash && p.sealedBy(c, p.key)
}

// resumes reports whether a record goes on, as it says itself, behind a later record than the last one there is.
func (p *position) resumes(c *candidate, buf *[]byte) bool {
	previous := c.record.Repair.PreviousHash
	steps := c.record.Sequence - p.sequence - 1
	if previous == (Hash{}) || c.record.Sequence <= p.sequence || steps > maxLost || chain(buf, previous, c.body) != c.hash {
		return false
	}
	return p.sealedBy(c, p.key.after(steps))
}

// maxLost bounds the work that a forged sequence number can cause.
const maxLost = 1 << 24

func (p *position) sealedBy(c *candidate, key sealingKey) bool {
	return !p.keyed || key.seal(c.hash) == c.seal
}

// bridges reports whether a record names exactly the bytes between the position and itself.
func (p *position) bridges(log *os.File, c *candidate) (bool, error) {
	n := c.begin - p.offset
	repair := c.record.Repair
	if uint64(n) != repair.SkippedBytes || n == 0 {
		return n == 0 && repair.SkippedBytes == 0 && repair.SkippedHash == Hash{}, nil
	}
	sum, err := hashOf(log, p.offset, c.begin, "")
	return err == nil && sum == repair.SkippedHash, err
}

// accepts reports whether a record can be gone on from.
func (p *position) accepts(log *os.File, c *candidate, buf *[]byte) (bool, error) {
	if p.follows(c, buf) {
		return p.bridges(log, c)
	}
	return p.resumes(c, buf), nil
}

// advance makes the record the last one.
func (p *position) advance(c *candidate) {
	p.key = p.key.after(c.record.Sequence - p.sequence)
	p.sequence, p.hash, p.offset = c.record.Sequence, c.hash, c.end
}

// hashOf hashes a part of the log and what will stand behind it.
func hashOf(log *os.File, from, to int64, behind string) (Hash, error) {
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(log, from, to-from)); err != nil {
		return Hash{}, err
	}
	sum.Write([]byte(behind))
	return Hash(sum.Sum(nil)), nil
}
