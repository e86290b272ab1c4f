package audit

import (
	"errors"
	"fmt"
	"slices"
)

// atOnce is how many records are written under one lock: some hundred kilobytes, a few milliseconds. A login that waits behind them
// must not take their writer for frozen.
const atOnce = 1000

// AppendAll is Append for many records: each thousand of them are one write and one synchronisation. They stand in their order; a
// login may come in between. When it returns an error, those of the last thousand that it came to count as not recorded, and none
// behind them is. A kill leaves whole records, and at most a torn tail, as it does behind a single one.
func AppendAll(path string, records []Record) error {
	for i := range records {
		if err := records[i].appendable(); err != nil {
			return err
		}
	}
	for some := range slices.Chunk(records, atOnce) {
		w, err := openWriter(path)
		if err != nil {
			return err
		}
		if err := errors.Join(w.appendAll(some), w.close()); err != nil {
			return err
		}
	}
	return nil
}

// appendable refuses what no caller may write.
func (r *Record) appendable() error {
	if r.Action == ActionSummed || r.Action == ActionRestarted {
		return fmt.Errorf("audit: %q is not for callers", r.Action)
	}
	return r.check()
}

// appendAll writes records, or counts them, and then the head.
func (w *writer) appendAll(records []Record) error {
	mark := len(w.gap.mark)
	out := []byte(w.gap.mark)
	for i := range records {
		summary, suppress := w.head.refusals.count(&records[i])
		if suppress {
			continue
		}
		if summary != nil {
			out = w.addLine(out, summary)
		}
		out = w.addLine(out, &records[i])
	}
	if len(out) == mark {
		return w.saveHead()
	}
	w.reserve(int64(len(out)))
	if err := w.writeLog(out); err != nil {
		return err
	}
	return w.saveHead()
}
