package audit

import (
	"bytes"
	"fmt"
	"io"
)

// diagnose names what has been done to the log at the end of the last good record, where c, which is the next line that looks
// like a record, is not the one that belongs there.
func (v *verifier) diagnose(c *candidate) (string, error) {
	expected, found := v.end.sequence+1, c.record.Sequence
	gap := c.begin - v.end.offset
	switch {
	case v.end.follows(c, &v.buf) && c.record.Repair.SkippedBytes == 0:
		return inserted(gap, v.end.sequence), nil
	case v.end.follows(c, &v.buf):
		skipped := c.record.Repair.SkippedBytes
		return fmt.Sprintf("the %d bytes that record %d says it skipped are not there as they were", skipped, found), nil
	case gap > 0:
		raw, err := v.lineAtEnd()
		return v.diagnoseLine(raw), err
	}
	sealBroken := found == expected && chain(&v.buf, v.end.hash, c.body) == c.hash
	at, rightly, err := v.lookFor(expected, c.end)
	switch {
	case err != nil:
		return "", err
	case found == expected && rightly:
		return inserted(at-v.end.offset, v.end.sequence), nil
	case sealBroken && expected == 1:
		return "record 1 was changed, or the verification key is that of another log: the seal is wrong", nil
	case sealBroken:
		return fmt.Sprintf("record %d was changed: the seal is wrong", expected), nil
	case found == expected:
		return fmt.Sprintf("record %d was changed", expected), nil
	case found > expected && at == 0:
		return missing(expected, found-1), nil
	}
	return fmt.Sprintf("record %d stands where record %d was expected", found, expected), nil
}

// lineAtEnd reads the line behind the last good record once more.
func (v *verifier) lineAtEnd() (rawLine, error) { return newLines(v.log, v.end.offset, v.size).next() }

// diagnoseLine names what has been done to a line that is no record: the right one can still be at its end.
func (v *verifier) diagnoseLine(raw rawLine) string {
	c := candidate{rawLine: raw}
	if n := bytes.LastIndex(raw.text, []byte(beginTime)); n > 0 {
		var ok bool
		if c.sealed, ok = decode(raw.text[n:], &c.record, false); ok && v.end.follows(&c, &v.buf) {
			return inserted(int64(n), v.end.sequence)
		}
	}
	return fmt.Sprintf("record %d was changed", v.end.sequence+1)
}

// lookFor finds a record by its number from an offset on: where it begins (0: nowhere), and whether it is the right one.
func (v *verifier) lookFor(sequence uint64, from int64) (at int64, rightly bool, err error) {
	in := newLines(v.log, from, v.size)
	for {
		c, err := in.nextRecord(false)
		if err == io.EOF {
			return at, false, nil
		}
		if err != nil {
			return 0, false, err
		}
		if c.record.Sequence == sequence {
			at = c.begin
			if v.end.follows(c, &v.buf) {
				return at, true, nil
			}
		}
	}
}

func inserted(n int64, after uint64) string {
	if after == 0 {
		return fmt.Sprintf("%d bytes were inserted before record 1", n)
	}
	return fmt.Sprintf("%d bytes were inserted after record %d", n, after)
}

func missing(first, last uint64) string {
	switch {
	case first > last:
		return fmt.Sprintf("the log before record %d is not the one that was written", first)
	case first == last:
		return fmt.Sprintf("record %d is missing", first)
	}
	return fmt.Sprintf("records %d to %d are missing", first, last)
}

func lastMissing(last, head uint64) string {
	what := fmt.Sprintf("the last %d records are missing", head-last)
	if head-last == 1 {
		what = "the last record is missing"
	}
	return fmt.Sprintf("%s: the head says %d, the log ends at %d", what, head, last)
}
