package audit

import (
	"bytes"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func BenchmarkAppend(b *testing.B) {
	path, _ := newLog(b)
	for i := 0; b.Loop(); i++ {
		if err := Append(path, event(i)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkVerify reports how many records Verify checks with the verification key, and without, in a second of processor time: of one core,
// whatever else the machine does.
func BenchmarkVerify(b *testing.B) {
	path, key := longLog(b, 100_000)
	for name, k := range map[string]*VerificationKey{"sealed": &key, "chain": nil} {
		b.Run(name, func(b *testing.B) {
			records, before := uint64(0), processorTime(b)
			for b.Loop() {
				report := verify(b, path, k)
				if report.First() != nil {
					b.Fatalf("%+v", report)
				}
				records += report.Records
			}
			b.ReportMetric(float64(records)/(processorTime(b)-before).Seconds(), "records/core-s")
		})
	}
}

// processorTime is what this process has used up to now.
func processorTime(b *testing.B) time.Duration {
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func BenchmarkSeal(b *testing.B) {
	key, h := sealingKey(random()), Hash(random())
	b.ReportAllocs()
	for b.Loop() {
		h = key.seal(h)
	}
}

func BenchmarkParse(b *testing.B) {
	text := []byte(goodLine(b))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}

// longLog writes a log at once, without synchronising every record.
func longLog(b *testing.B, n int) (path string, key VerificationKey) {
	path, key = newLog(b)
	w := &writer{head: currentHead(b, path)}
	var log bytes.Buffer
	for i := range n {
		r := event(i)
		w.size = int64(log.Len())
		log.Write(w.addLine(nil, &r))
	}
	if err := os.WriteFile(path, log.Bytes(), 0o600); err != nil {
		b.Fatal(err)
	}
	putHead(b, path, w.head)
	return path, key
}
