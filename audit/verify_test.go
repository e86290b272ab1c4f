package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
)

// tamper is one way to damage record n (from 1) of a log, and what Verify must say of it.
type tamper struct {
	name string
	do   func(lines [][]byte, n int) [][]byte // nil: does not apply to this record
	want func(n, last int) string
	how  int
}

const (
	plain   = iota // seen where it was done, with the key and without
	atNext         // seen at the next record
	withKey        // seen with the key only
)

func changed(n, _ int) string { return fmt.Sprintf("record %d was changed", n) }

func gone(n, last int) string {
	if n == last {
		return fmt.Sprintf("the last record is missing: the head says %d, the log ends at %d", last, last-1)
	}
	return fmt.Sprintf("record %d is missing", n)
}

// edit gives a tamper that replaces bytes of the line.
func edit(do func(line []byte) []byte) func([][]byte, int) [][]byte {
	return func(lines [][]byte, n int) [][]byte {
		lines[n-1] = do(lines[n-1])
		return lines
	}
}

// flipAt flips the lowest bit of one byte behind a text in the line.
func flipAt(behind string, plus int) func([][]byte, int) [][]byte {
	return edit(func(b []byte) []byte {
		b[bytes.Index(b, []byte(behind))+len(behind)+plus] ^= 1
		return b
	})
}

// exchangeAt replaces a character by another one that can stand in its place.
func exchangeAt(behind string, plus int) func([][]byte, int) [][]byte {
	return edit(func(b []byte) []byte {
		if c := &b[bytes.Index(b, []byte(behind))+len(behind)+plus]; *c == 'A' {
			*c = 'B'
		} else {
			*c = 'A'
		}
		return b
	})
}

func tampers() []tamper {
	prepended := func(size int) func(n, last int) string {
		return func(n, _ int) string { return inserted(int64(size), uint64(n-1)) }
	}
	return []tamper{
		{"the time changed", flipAt(`"@timestamp":"`, 3), changed, plain},
		{"the action changed", flipAt(`"event.action":"`, 0), changed, plain},
		{"a text changed", flipAt(`"user.name":"`, 2), changed, plain},
		{"the pid changed", flipAt(`"process.pid":`, 3), changed, plain},
		{"a key changed", flipAt(`"user.n`, 0), changed, plain},
		{"a quote changed", flipAt(`"user.name":`, 0), changed, plain},
		{"the first byte changed", edit(func(b []byte) []byte { b[0] ^= 1; return b }), changed, plain},
		{"the hash changed", exchangeAt(`"twokey.hash":"`, 7), changed, plain},
		{"the seal changed", exchangeAt(`"twokey.seal":"`, 7), sealWrong, withKey},
		{"the last brace changed", edit(func(b []byte) []byte { b[len(b)-2] ^= 1; return b }), changed, plain},
		{"the newline changed", edit(func(b []byte) []byte { b[len(b)-1] ^= 1; return b }), changed, plain},
		{"the newline gone", edit(func(b []byte) []byte { return b[:len(b)-1] }), goneOrChanged, plain},
		{"a byte gone", edit(func(b []byte) []byte { return append(b[:50:50], b[51:]...) }), changed, plain},
		{"a byte more", edit(func(b []byte) []byte { return append(b[:50:50], b[49:]...) }), changed, plain},
		{"a newline inside", edit(func(b []byte) []byte { b[60] = '\n'; return b }), changed, plain},
		{"dropped", func(l [][]byte, n int) [][]byte { return append(l[:n-1:n-1], l[n:]...) }, gone, plain},
		{"swapped with the next", swap, misplaced(1), plain},
		{"written twice", func(l [][]byte, n int) [][]byte { return append(l[:n:n], l[n-1:]...) }, twice, atNext},
		{"truncated before it", func(l [][]byte, n int) [][]byte { return l[:n-1] }, truncated, plain},
		{"truncated inside it", func(l [][]byte, n int) [][]byte { l[n-1] = l[n-1][:80]; return l[:n] }, truncated, plain},
		{"a line inserted before it", edit(func(b []byte) []byte { return append([]byte("hello\n"), b...) }), prepended(6), plain},
		{"bytes inserted before it", edit(func(b []byte) []byte { return append([]byte("hello"), b...) }), prepended(5), plain},
		{"an old record inserted before it", func(l [][]byte, n int) [][]byte {
			if n == 1 {
				return nil
			}
			return append(l[:n-1:n-1], append([][]byte{l[0]}, l[n-1:]...)...)
		}, func(n, _ int) string { return fmt.Sprintf("record 1 stands where record %d was expected", n) }, plain},
		{"a forged record inserted before it", func(l [][]byte, n int) [][]byte {
			return append(l[:n-1:n-1], append([][]byte{forged(n)}, l[n-1:]...)...)
		}, func(n, _ int) string { return inserted(int64(len(forged(n))), uint64(n-1)) }, plain},
		{"a forged record in its place", func(l [][]byte, n int) [][]byte { l[n-1] = forged(n); return l }, changed, plain},
	}
}

func sealWrong(n, _ int) string {
	if n == 1 {
		return "record 1 was changed, or the verification key is that of another log: the seal is wrong"
	}
	return fmt.Sprintf("record %d was changed: the seal is wrong", n)
}

// goneOrChanged: at the end of the log a record without its newline looks like one that was cut off.
func goneOrChanged(n, last int) string {
	if n == last {
		return gone(n, last)
	}
	return changed(n, last)
}

func swap(l [][]byte, n int) [][]byte {
	if n == len(l) {
		return nil
	}
	l[n-1], l[n] = l[n], l[n-1]
	return l
}

func misplaced(by int) func(n, last int) string {
	return func(n, _ int) string { return fmt.Sprintf("record %d stands where record %d was expected", n+by, n) }
}

func twice(n, _ int) string {
	return fmt.Sprintf("record %d stands where record %d was expected", n, n+1)
}

func truncated(n, last int) string { return lastMissing(uint64(n-1), uint64(last)) }

// forged is a record that somebody without the key makes up.
func forged(n int) []byte {
	r := event(7)
	r.User, r.Sequence = "mallory", uint64(n)
	return line(encode(&r), Hash{1}, Hash{2})
}

const logSize = 30

func TestEveryDamageToEveryRecordIsNamed(t *testing.T) {
	path, key := newLog(t)
	fill(t, path, logSize)
	whole := logLines(t, path)
	for _, c := range tampers() {
		for n := 1; n <= logSize; n++ {
			damaged := c.do(cloneLines(whole), n)
			if damaged == nil {
				continue
			}
			write(t, path, bytes.Join(damaged, nil))
			want, expected := c.want(n, logSize), n
			if c.how == atNext {
				expected = n + 1
			}
			offset := int64(len(bytes.Join(whole[:expected-1], nil)))
			p := firstProblem(t, path, &key)
			if p.What != want || p.Sequence != uint64(expected) || p.Offset != offset {
				t.Errorf("%s, record %d: %+v, want %q at %d", c.name, n, p, want, offset)
			}
			if q := verifyProblem(t, path, nil); c.how == withKey && q != nil || c.how != withKey && (q == nil || *q != p) {
				t.Errorf("%s, record %d, without the key: %v, want %v", c.name, n, q, p)
			}
		}
	}
}

func cloneLines(lines [][]byte) [][]byte {
	clone := make([][]byte, len(lines))
	for i, l := range lines {
		clone[i] = bytes.Clone(l)
	}
	return clone
}

func TestEveryFlippedByteIsNamed(t *testing.T) {
	path, key := newLog(t)
	fill(t, path, 3)
	whole, lines := read(t, path), logLines(t, path)
	for i := range whole {
		for _, bit := range []byte{1, 0x20, 0x80} {
			b := bytes.Clone(whole)
			b[i] ^= bit
			write(t, path, b)
			record := 1
			for end := len(lines[0]); i >= end; end += len(lines[record-1]) {
				record++
			}
			p := firstProblem(t, path, &key)
			if p.Sequence != uint64(record) || !regexp.MustCompile(fmt.Sprintf(`\brecord %d\b`, record)).MatchString(p.What) {
				t.Fatalf("byte %d of record %d, bit %#x: %+v", i, record, bit, p)
			}
		}
	}
}

func TestARangeThatIsGoneIsNamed(t *testing.T) {
	path, key := newLog(t)
	fill(t, path, 10)
	l := logLines(t, path)
	write(t, path, bytes.Join(append(l[:3:3], l[7:]...), nil))
	if p := firstProblem(t, path, &key); p.What != "records 4 to 7 are missing" {
		t.Errorf("%+v", p)
	}
	write(t, path, bytes.Join(l[:7], nil))
	if p := firstProblem(t, path, &key); p.What != "the last 3 records are missing: the head says 10, the log ends at 7" {
		t.Errorf("%+v", p)
	}
}

// Root breaks in and makes everything fit that he can: he has the head, and no key of what was written before.
func TestRootCannotRewriteThePast(t *testing.T) {
	path, key := newLog(t)
	fill(t, path, 5)
	h := currentHead(t, path)
	all := records(t, path)
	for from := range 5 {
		log := bytes.Join(logLines(t, path)[:from], nil)
		var p position
		if from > 0 {
			p.hash = lineHash(t, path, from)
		}
		for i := from; i < 5; i++ {
			r := all[i]
			r.User = "mallory"
			body := encode(&r)
			p.hash = chain(new([]byte), p.hash, body)
			log = append(log, line(body, p.hash, h.key.seal(p.hash))...)
		}
		rewritten := h
		rewritten.hash, rewritten.offset = p.hash, int64(len(log))
		there := t.TempDir() + "/audit.jsonl"
		write(t, there, log)
		putHead(t, there, rewritten)
		if got := firstProblem(t, there, &key); got.What != sealWrong(from+1, 5) {
			t.Errorf("rewritten from record %d: %+v", from+1, got)
		}
		if report := verify(t, there, nil); report.First() != nil || report.Sealed {
			t.Errorf("without the key this cannot be seen, and must not be said to be: %+v", report)
		}
	}
}

// Root cuts off the last records, those of his own coming, and makes the head fit as far as he can.
func TestRootCannotCutOffTheEnd(t *testing.T) {
	path, key := newLog(t)
	fill(t, path, 5)
	h := currentHead(t, path)
	for left := range 5 {
		log := bytes.Join(logLines(t, path)[:left], nil)
		cut := h
		cut.sequence, cut.offset, cut.hash = uint64(left), int64(len(log)), Hash{}
		if left > 0 {
			cut.hash = lineHash(t, path, left)
		}
		there := t.TempDir() + "/audit.jsonl"
		write(t, there, log)
		putHead(t, there, cut)
		want := fmt.Sprintf("the sealing key in the head is not the one for record %d", left+1)
		if p := firstProblem(t, there, &key); !strings.HasPrefix(p.What, want) {
			t.Errorf("%+v", p)
		}
	}
}

// lineHash is the hash that stands in a record's line.
func lineHash(t *testing.T, path string, n int) Hash {
	t.Helper()
	var r Record
	s, ok := decode(bytes.TrimSuffix(logLines(t, path)[n-1], []byte("\n")), &r, false)
	if !ok {
		t.Fatal("not a record")
	}
	return s.hash
}

func TestAHeadThatContradictsTheLogIsNamed(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*head)
		with   string // "with": seen with the verification key only
		wanted string
	}{
		"another hash":  {func(h *head) { h.hash[0] ^= 1 }, "", "record 5 is not the one that the head names: the log was written anew"},
		"another place": {func(h *head) { h.offset-- }, "", "record 5 ends at byte "},
		"another key":   {func(h *head) { h.key[0] ^= 1 }, "with", "the sealing key in the head is not the one for record 6"},
		"more records": {func(h *head) { h.sequence += 2; h.offset += 900 }, "",
			"the last 2 records are missing: the head says 7, the log ends at 5"},
		"fewer, another key": {func(h *head) { h.sequence--; h.key[0] ^= 1 }, "", "record 4 is not the one that the head names"},
	} {
		path, key := newLog(t)
		fill(t, path, 5)
		h := currentHead(t, path)
		c.change(&h)
		putHead(t, path, h)
		if p := firstProblem(t, path, &key); !strings.HasPrefix(p.What, c.wanted) {
			t.Errorf("%s: %+v", name, p)
		}
		if p := verifyProblem(t, path, nil); (p == nil) != (c.with == "with") {
			t.Errorf("%s, without the key: %v", name, p)
		}
	}
}

func TestWithoutTheKeyTheSealsBehindTheHeadAreChecked(t *testing.T) {
	path, _ := newLog(t)
	fill(t, path, 3)
	old := read(t, headPath(path))
	fill(t, path, 3)
	write(t, headPath(path), old)
	l := logLines(t, path)
	l[4] = exchangeAt(`"twokey.seal":"`, 7)(l, 5)[4]
	write(t, path, bytes.Join(l, nil))
	if p := firstProblem(t, path, nil); p.What != "record 5 was changed: the seal is wrong" {
		t.Errorf("%+v", p)
	}
}

func TestTheKeyOfAnotherLogIsNamed(t *testing.T) {
	path, _ := newLog(t)
	_, other := newLog(t)
	if p := firstProblem(t, path, &other); !strings.Contains(p.What, "the verification key is that of another log") {
		t.Errorf("%+v", p)
	}
	fill(t, path, 3)
	if p := firstProblem(t, path, &other); p.What != sealWrong(1, 3) {
		t.Errorf("%+v", p)
	}
}

func TestSkippedBytesThatAreNotAsNamedAreFound(t *testing.T) {
	path, key := newLog(t)
	fill(t, path, 2)
	start := len(read(t, path))
	appendBytes(t, path, "torn")
	mustAppend(t, path, event(2))
	whole := read(t, path)
	mustBeWhole(t, path, key, 3, 1)
	for name, b := range map[string][]byte{
		"changed": append(append(bytes.Clone(whole[:start]), "TORN"...), whole[start+4:]...),
		"shorter": append(bytes.Clone(whole[:start]), whole[start+1:]...),
		"longer":  append(append(bytes.Clone(whole[:start]), "x"...), whole[start:]...),
		"gone":    append(bytes.Clone(whole[:start]), whole[start+len("torn"+tornMark):]...),
	} {
		write(t, path, b)
		want := "the 6 bytes that record 3 says it skipped are not there as they were"
		if p := firstProblem(t, path, &key); p.What != want || p.Offset != int64(start) {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

// A forged sequence number must not make Verify count to it.
func TestARecordThatClaimsAHugeLossIsNoWork(t *testing.T) {
	path, key := newLog(t)
	fill(t, path, 2)
	r := event(3)
	r.Sequence, r.Repair.PreviousHash = maxNumber, Hash{1}
	body := encode(&r)
	appendBytes(t, path, string(line(body, chain(new([]byte), Hash{1}, body), Hash{})))
	if p := firstProblem(t, path, &key); p.What != fmt.Sprintf("records 3 to %d are missing", maxNumber-1) {
		t.Errorf("%+v", p)
	}
}

func TestVerifyGoesOnBehindANamedLoss(t *testing.T) {
	path, key := newLog(t)
	fill(t, path, 4)
	l := logLines(t, path)
	write(t, path, bytes.Join(l[:2], nil))
	fill(t, path, 4)
	l = logLines(t, path)
	l[4] = flipAt(`"user.name":"`, 0)(l, 5)[4]
	write(t, path, bytes.Join(l, nil))
	report := verify(t, path, &key)
	if len(report.Problems) != 2 || report.Problems[0].What != "records 3 to 4 are missing, as record 5 says" ||
		report.Problems[1].What != "record 7 was changed" {
		t.Errorf("%+v", report)
	}
}

func TestVerifyNeedsFilesThatItMayRead(t *testing.T) {
	path, _ := newLog(t)
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Verify(path, nil); err == nil {
		t.Error("a log that others can read was accepted")
	}
	if _, err := Verify("/nonexistent/audit.jsonl", nil); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if _, err := Verify("audit.jsonl", nil); err == nil {
		t.Error("a relative path was accepted")
	}
}
