package slotfile

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"twokey/internal/safefile"
	"twokey/internal/safefile/disktest"
)

// exampleSlot is built from the package comment alone; the sum comes from sha256sum(1).
func exampleSlot(t testing.TB) []byte {
	t.Helper()
	b := make([]byte, 4096)
	copy(b[0:], "twokey1\n")
	copy(b[8:], "state\x00\x00\x00")
	copy(b[16:], "\x00\x00\x00\x00\x00\x00\x00\x07")
	copy(b[24:], "\x00\x00\x00\x05")
	copy(b[28:], "value")
	sum, err := hex.DecodeString("5ce2629ff96732312c11d5009eabb613d9c488a6120ab19d9fc4cfbb5f4a0c6e")
	must(t, err)
	copy(b[4064:], sum)
	return b
}

func TestTheFormatIsThatOfThePackageComment(t *testing.T) {
	want := exampleSlot(t)
	got, err := encoded("state", slot{7, []byte("value")})
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%x, %v", got, err)
	}
	s, ok := decodeSlot("state", want)
	if !ok || s.generation != 7 || string(s.value) != "value" {
		t.Errorf("%+v, %v", s, ok)
	}
	dir, path := scratch(t, "value")
	file := content(t, path)
	if len(file) != 12288 || !bytes.Equal(file[4096:], make([]byte, 8192)) {
		t.Errorf("a new file of %d bytes has more than its first slot", len(file))
	}
	var st unix.Stat_t
	must(t, unix.Stat(path+"/"+name, &st))
	if st.Mode != unix.S_IFREG|0o600 || st.Blocks*512 < 12288 {
		t.Errorf("mode %o, %d bytes allocated: a full disk would stop it", st.Mode, st.Blocks*512)
	}
	f, err := Acquire(dir, name, kind)
	must(t, err)
	holder := content(t, path)[8192:]
	if binary.BigEndian.Uint32(holder) != uint32(os.Getpid()) || !bytes.Equal(holder[20:], make([]byte, 4076)) {
		t.Errorf("holder block %x", holder[:32])
	}
	must(t, f.Close())
	if !bytes.Equal(content(t, path)[8192:], make([]byte, 4096)) {
		t.Error("the holder block is not zero when nobody has the lock")
	}
}

func TestDecodeSlotRefuses(t *testing.T) {
	encoded := func(change func(b []byte)) []byte { // with a sum that is right
		b := exampleSlot(t)
		change(b)
		return resum(b)
	}
	for what, b := range map[string][]byte{
		"nothing":                            nil,
		"zeros":                              make([]byte, 4096),
		"a short block":                      exampleSlot(t)[:4095],
		"a long block":                       append(exampleSlot(t), 0),
		"another magic":                      encoded(func(b []byte) { b[6] = '2' }),
		"another kind":                       encoded(func(b []byte) { b[8] = 'S' }),
		"a longer kind":                      encoded(func(b []byte) { b[13] = 's' }),
		"generation 0":                       encoded(func(b []byte) { b[23] = 0 }),
		"a length above the block":           encoded(func(b []byte) { binary.BigEndian.PutUint32(b[24:], 4037) }),
		"a length behind the block":          encoded(func(b []byte) { binary.BigEndian.PutUint32(b[24:], 4069) }),
		"a length of 32 bits":                encoded(func(b []byte) { binary.BigEndian.PutUint32(b[24:], 1<<32-1) }),
		"something behind the value":         encoded(func(b []byte) { b[33] = 1 }),
		"something before the sum":           encoded(func(b []byte) { b[4063] = 1 }),
		"a value that is shorter than it is": encoded(func(b []byte) { b[27] = 4 }),
		"another sum":                        append(exampleSlot(t)[:4095], 0),
	} {
		if s, ok := decodeSlot("state", b); ok || s.value != nil {
			t.Errorf("%s: %+v", what, s)
		}
	}
	if _, ok := decodeSlot("audit", exampleSlot(t)); ok {
		t.Error("a slot of another kind of file was taken")
	}
}

// resum puts the right sum under a block.
func resum(block []byte) []byte {
	sum := sha256.Sum256(block[:sumOffset])
	return append(block[:sumOffset], sum[:]...)
}

func TestCreateNeverReplacesAndTakesEveryValueThatFits(t *testing.T) {
	dir, path := scratch(t, "value")
	want(t, Create(dir, name, kind, []byte("other")), fs.ErrExist)
	for _, value := range [][]byte{nil, {0}, bytes.Repeat([]byte{0xff}, MaxValue)} {
		must(t, os.Remove(path+"/"+name))
		must(t, Create(dir, name, "12345678", value))
		if b, err := Read(dir, name, "12345678"); err != nil || !bytes.Equal(b, value) {
			t.Errorf("%d bytes: %d, %v", len(value), len(b), err)
		}
		_, err := Read(dir, name, "1234567")
		want(t, err, ErrCorrupt)
	}
	if err := Create(dir, "large", kind, make([]byte, MaxValue+1)); err == nil {
		t.Error("a value that does not fit was taken")
	}
	if err := Create(dir, "kind", "123456789", nil); err == nil {
		t.Error("a kind that does not fit was taken")
	}
	if names, err := dir.Names(); err != nil || len(names) != 1 {
		t.Errorf("left: %q, %v", names, err)
	}
}

func TestAValueThatDoesNotFitChangesNothing(t *testing.T) {
	dir, _ := scratch(t, "value")
	f, err := Acquire(dir, name, kind)
	must(t, err)
	if err := f.Write(make([]byte, MaxValue+1)); err == nil {
		t.Error("it was written")
	}
	if string(f.Value()) != "value" {
		t.Errorf("the value is now %q", f.Value())
	}
	must(t, f.Write(make([]byte, MaxValue)))
	must(t, errors.Join(f.Sync(), f.Close()))
	if b, err := Read(dir, name, kind); err != nil || len(b) != MaxValue {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

func TestWhatIsWrittenIsSeenAtOnceAndTheSynchronisedValueIsNeverOverwritten(t *testing.T) {
	dir, path := scratch(t, "0")
	f, err := Acquire(dir, name, kind)
	must(t, err)
	for _, step := range []struct {
		value      string
		slot, sync bool // slot B
	}{
		{"1", true, false}, {"2", true, false}, {"3", true, true}, {"4", false, false}, {"5", false, true}, {"6", true, true}, {"7", false, false},
	} {
		before := content(t, path)
		value := []byte(step.value)
		must(t, f.Write(value))
		value[0] = 'x' // the caller's bytes are the caller's again
		if step.sync {
			must(t, f.Sync())
		}
		if b, err := Read(dir, name, kind); err != nil || string(b) != step.value || string(f.Value()) != step.value {
			t.Errorf("%s: %q, %q, %v", step.value, b, f.Value(), err)
		}
		after := content(t, path)
		if bytes.Equal(before[:4096], after[:4096]) != step.slot || bytes.Equal(before[4096:8192], after[4096:8192]) == step.slot {
			t.Errorf("%s went to the wrong slot", step.value)
		}
	}
	must(t, f.Close())
	// The crash: what was not synchronised is torn on the disk.
	overwrite(t, path, 100, []byte("torn"))
	if b, err := Read(dir, name, kind); err != nil || string(b) != "6" {
		t.Errorf("after a crash: %q, %v", b, err)
	}
	want(t, f.Write([]byte("8")), unix.EBADF)
	want(t, f.Close(), fs.ErrClosed)
}

func TestEveryByteOfASlotThatChangesIsSeenAndTheOtherSlotIsTaken(t *testing.T) {
	older, err := encoded(kind, slot{1, []byte("older")})
	must(t, err)
	newer, err := encoded(kind, slot{2, []byte("newer")})
	must(t, err)
	for i, file := range [][]byte{
		append(append(bytes.Clone(older), newer...), make([]byte, 4096)...),
		append(append(bytes.Clone(newer), older...), make([]byte, 4096)...),
	} {
		for n := range 8192 {
			bad := bytes.Clone(file)
			bad[n] ^= 1 << rand.IntN(8)
			wantValue, wantIndex := "newer", 1-i
			if n/4096 == 1-i {
				wantValue, wantIndex = "older", i
			}
			if s, index, err := current(kind, bad, complete); err != nil || string(s.value) != wantValue || index != wantIndex {
				t.Fatalf("byte %d: %q in slot %d, %v, want %s", n, s.value, index, err, wantValue)
			}
		}
	}
}

func TestAFileThatIsNotWholeIsRefused(t *testing.T) {
	random := make([]byte, fileSize)
	for i := range random {
		random[i] = byte(rand.Uint32())
	}
	for what, test := range map[string]struct {
		content []byte
		want    error
	}{
		"empty":              {nil, ErrCorrupt},
		"random bytes":       {random, ErrCorrupt},
		"zeros":              {make([]byte, fileSize), ErrCorrupt},
		"one slot only":      {exampleSlot(t), ErrCorrupt},
		"one byte too few":   {append(exampleSlot(t), make([]byte, 8191)...), ErrCorrupt},
		"one byte too many":  {append(exampleSlot(t), make([]byte, 8193)...), safefile.ErrSize},
		"both slots damaged": {append(exampleSlot(t)[:4000], make([]byte, 8288)...), ErrCorrupt},
		"text":               {[]byte("alice\n"), ErrCorrupt},
	} {
		dir, path := scratch(t, "value")
		must(t, os.WriteFile(path+"/"+name, test.content, 0o600))
		b, err := Read(dir, name, kind)
		if b != nil || !errors.Is(err, test.want) {
			t.Errorf("%s: %q, %v", what, b, err)
		}
		f, err := Acquire(dir, name, kind)
		if f != nil || !errors.Is(err, test.want) {
			t.Errorf("%s: acquired, %v", what, err)
		}
		if after := content(t, path); !bytes.Equal(after[:min(len(after), holderOffset)], test.content[:min(len(test.content), holderOffset)]) {
			t.Errorf("%s: the slots were changed", what)
		}
	}
}

func TestAFileThatOthersCouldHaveMadeIsRefused(t *testing.T) {
	for what, test := range map[string]struct {
		prepare func(path string) error
		want    error
	}{
		"missing":         {os.Remove, fs.ErrNotExist},
		"group-readable":  {func(path string) error { return os.Chmod(path, 0o640) }, safefile.ErrMode},
		"foreign-owned":   {func(path string) error { return os.Chown(path, 48611, 0) }, safefile.ErrOwner},
		"a hard link":     {func(path string) error { return os.Link(path, path+"2") }, safefile.ErrLinks},
		"a symbolic link": {func(path string) error { return errors.Join(os.Rename(path, path+"2"), os.Symlink(path+"2", path)) }, safefile.ErrType},
		"a FIFO":          {func(path string) error { return errors.Join(os.Remove(path), unix.Mkfifo(path, 0o600)) }, safefile.ErrType},
		"a directory":     {func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) }, safefile.ErrType},
	} {
		dir, path := scratch(t, "value")
		must(t, test.prepare(path+"/"+name))
		b, err := Read(dir, name, kind)
		if b != nil || !errors.Is(err, test.want) {
			t.Errorf("%s: %q, %v", what, b, err)
		}
		f, err := Acquire(dir, name, kind)
		if f != nil || !errors.Is(err, test.want) {
			t.Errorf("%s: acquired, %v", what, err)
		}
	}
}

func TestAFullDiskDoesNotStopAChange(t *testing.T) {
	for _, fileSystem := range []string{"ext4", "xfs"} {
		t.Run(fileSystem, func(t *testing.T) {
			dir, path := scratchIn(t, disktest.Mount(t, fileSystem), "")
			disktest.Fill(t, path)
			for range 500 {
				must(t, increment(dir, 0))
			}
			if n := number(t, dir); n != 500 {
				t.Errorf("%d changes of 500", n)
			}
			want(t, Create(dir, "another", kind, nil), unix.ENOSPC)
			if names, err := dir.Names(); err != nil || len(names) != 1 {
				t.Errorf("left: %q, %v", names, err)
			}
		})
	}
}

// A slot that was written and not synchronised may not be on the disk. Whoever comes next will overwrite the one that is, so
// he must synchronise first; and only then, since it costs something.
func TestAValueThatWasLeftUnsynchronisedIsSynchronisedBeforeTheOtherSlotIsOverwritten(t *testing.T) {
	dir, path := scratch(t, "")
	const calls = "fdatasync,pwrite64"
	steps := func() (order string) {
		for _, line := range traced(t, "count", path, 1, calls) {
			switch {
			case strings.Contains(line, "fdatasync("):
				order += "sync "
			case strings.Contains(line, `, 20, 8192)`):
				order += "holder "
			case strings.Contains(line, `, 4096, 0)`), strings.Contains(line, `, 4096, 4096)`):
				order += "slot "
			}
		}
		return order
	}
	const clean = "holder slot sync holder "
	if order := steps(); order != strings.Repeat(clean, 4) {
		t.Errorf("after a holder who synchronised: %s", order)
	}
	out, err := child("leave", path, 70).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if n := number(t, dir); n != 70 {
		t.Errorf("what was left is %d", n)
	}
	if order := steps(); order != "sync "+strings.Repeat(clean, 4) {
		t.Errorf("after a holder who did not: %s", order)
	}
	if n := number(t, dir); n != 74 {
		t.Errorf("the value is %d", n)
	}
}

// Of two slots that say the same the older one is on the disk, and stays; the newer one may not be, and is written over until it is
// synchronised. That is done without a synchronisation before it: with each record of the audit log it would be one.
func TestOfTwoSlotsThatSayTheSameTheOlderOneStays(t *testing.T) {
	dir, path := scratch(t, "")
	for _, n := range []int{70, 80, 90} { // once into either slot
		before := content(t, path)
		calls := traced(t, "leave-twins", path, n, "fdatasync,pwrite64")
		if order := fmt.Sprint(calls); strings.Count(order, "fdatasync(") != 1 {
			t.Errorf("%d: %s", n, order)
		}
		first, second, _ := strings.Cut(strings.Join(calls, "\n"), "fdatasync(")
		newer := ", 4096, 4096)"
		if n > 70 && binary.BigEndian.Uint64(before[16:]) > binary.BigEndian.Uint64(before[4096+16:]) {
			newer = ", 4096, 0)"
		}
		if !strings.Contains(first, newer) || strings.Contains(second, newer) {
			t.Errorf("%d: first the slot%s, then the other: %s", n, newer, calls)
		}
		if got := number(t, dir); got != uint64(n) {
			t.Errorf("the value is %d, want %d", got, n)
		}
	}
	// The crash: the newer one is torn on the disk.
	half := content(t, path)
	newest := 0
	if binary.BigEndian.Uint64(half[16:]) < binary.BigEndian.Uint64(half[4096+16:]) {
		newest = 4096
	}
	overwrite(t, path, int64(newest)+100, []byte("torn"))
	if n := number(t, dir); n != 90 {
		t.Errorf("after a crash the value is %d", n)
	}
	calls := traced(t, "count", path, 1, "fdatasync,pwrite64")
	if order := strings.Join(calls, " "); !strings.Contains(order[:strings.Index(order, ", 4096, ")], "fdatasync(") {
		t.Errorf("a torn slot is no twin: %s", order)
	}
}

// A holder who has changed nothing leaves what is not synchronised to the next one.
func TestTwinsStayTwinsForWhoChangesNothing(t *testing.T) {
	dir, path := scratch(t, "")
	if out, err := child("leave-twins", path, 70).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	before := content(t, path)
	f, err := Acquire(dir, name, kind)
	must(t, err)
	must(t, f.Close())
	after := content(t, path)
	if !bytes.Equal(before[:8192], after[:8192]) || zero(after[8192:8212]) {
		t.Error("the slots have changed, or the holder block says that they are synchronised")
	}
	f, err = Acquire(dir, name, kind)
	must(t, err)
	must(t, errors.Join(f.Sync(), f.Close()))
	if after := content(t, path); !zero(after[8192:8212]) {
		t.Error("they are synchronised, and the holder block does not say so")
	}
}

func TestTwins(t *testing.T) {
	block := func(kind string, generation uint64, value string) []byte {
		b, err := encoded(kind, slot{generation, []byte(value)})
		must(t, err)
		return b
	}
	good := block(kind, 1, "value")
	with := func(second []byte) []byte {
		return append(append(bytes.Clone(good), second...), make([]byte, 4096)...)
	}
	if !twins(with(block(kind, 2, "value"))) || !twins(with(good)) {
		t.Error("these are twins")
	}
	for what, content := range map[string][]byte{
		"another value":       with(block(kind, 2, "valuf")),
		"more of the value":   with(block(kind, 2, "value\x00")),
		"another kind":        with(block("audit", 2, "value")),
		"nothing":             with(make([]byte, 4096)),
		"no file":             nil,
		"a file of two slots": with(good)[:8192],
		"a file of more":      append(with(good), 0),
	} {
		if twins(content) {
			t.Errorf("%s: twins", what)
		}
	}
	for n := range 8192 {
		torn := with(block(kind, 2, "value"))
		torn[n] ^= 1 << rand.IntN(8)
		if twins(torn) {
			t.Fatalf("byte %d was changed, and they are twins still", n)
		}
	}
}

func TestAFailedSyncIsNotForgotten(t *testing.T) {
	dir, path := scratch(t, "value")
	calls := traced(t, "sync-again", path, 42, "fdatasync", "-e", "inject=fdatasync:error=EIO:when=1")
	if n := number(t, dir); n != 42 || len(calls) < 2 {
		t.Errorf("the value is %d; %q", n, calls)
	}
}

// Under ulimit -f 0 nothing can be written, and whoever asked for it must not get a change for free.
func TestAChangeThatCannotBeWrittenFails(t *testing.T) {
	dir, path := scratch(t, "")
	must(t, increment(dir, 0))
	cmd := child("count", path, 1)
	limited := exec.Command("sh", append([]string{"-c", `ulimit -f 0; exec "$@"`, "sh"}, cmd.Args...)...)
	exe, err := os.Executable()
	must(t, err)
	limited.Args[4], limited.Env = exe, cmd.Env
	if out, err := limited.CombinedOutput(); err == nil {
		t.Errorf("no error: %s", out)
	}
	if n := number(t, dir); n != 1 {
		t.Errorf("the value is %d", n)
	}
	must(t, increment(dir, 0))
}

func TestKillAtAnyMomentLeavesAGoodValueAndLosesNone(t *testing.T) {
	dir, path := scratch(t, "")
	for range 100 {
		before := number(t, dir)
		p := begun(t, "count-on", path)
		time.Sleep(rand.N(5 * time.Millisecond))
		seen := number(t, dir)
		must(t, p.cmd.Process.Kill())
		if !p.killed() {
			t.Fatalf("it ended by itself: %v", p.cmd.ProcessState)
		}
		after := number(t, dir)
		if seen < before || after < seen {
			t.Fatalf("the value went from %d to %d to %d", before, seen, after)
		}
		must(t, increment(dir, 0))
		if n := number(t, dir); n != after+1 {
			t.Fatalf("%d after %d", n, after)
		}
	}
}

func TestReadWhileAnotherWritesNeverFails(t *testing.T) {
	dir, _ := scratchIn(t, disktest.Mount(t, "tmpfs"), "") // where a writer is fastest
	stop, stopped := make(chan struct{}), make(chan error)
	go func() {
		for {
			select {
			case <-stop:
				stopped <- nil
				return
			default:
			}
			f, err := Acquire(dir, name, kind)
			for range 1000 {
				n, _ := binary.Uvarint(f.Value())
				err = errors.Join(err, f.Write(binary.AppendUvarint(nil, n+1)), f.Sync())
			}
			if err = errors.Join(err, f.Close()); err != nil {
				stopped <- err
				return
			}
		}
	}()
	for range 5000 {
		if _, err := Read(dir, name, kind); err != nil {
			t.Error(err)
			break
		}
	}
	close(stop)
	must(t, <-stopped)
}

func FuzzDecodeSlot(f *testing.F) {
	for _, seed := range slotSeeds(f) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, ok := decodeSlot(kind, b)
		if !ok {
			if s.value != nil || s.generation != 0 {
				t.Errorf("refused and returned: %+v", s)
			}
			return
		}
		if again, err := encoded(kind, s); err != nil || !bytes.Equal(again, b) {
			t.Errorf("comes out again as %x, %v", again, err)
		}
	})
}

// FuzzCurrent makes the sums right, so that what they cover is looked at.
func FuzzCurrent(f *testing.F) {
	for _, seed := range slotSeeds(f) {
		f.Add(seed, exampleSlot(f))
		f.Add(exampleSlot(f), seed)
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		var file []byte
		for _, part := range [][]byte{a, b, nil} {
			block := make([]byte, blockSize)
			copy(block, part)
			file = append(file, resum(block)...)
		}
		s, index, err := current(kind, file, complete)
		if err != nil {
			want(t, err, ErrCorrupt)
			return
		}
		again, err := encoded(kind, s)
		if err != nil || !bytes.Equal(again, file[index*blockSize:(index+1)*blockSize]) {
			t.Errorf("slot %d comes out again as %x, %v", index, again, err)
		}
		if other, ok := decodeSlot(kind, file[(1-index)*blockSize:(2-index)*blockSize]); ok && other.generation > s.generation {
			t.Errorf("generation %d was taken, and there is %d", s.generation, other.generation)
		}
	})
}

// slotSeeds are blocks, good and bad.
func slotSeeds(t testing.TB) [][]byte {
	t.Helper()
	seeds := [][]byte{exampleSlot(t), make([]byte, blockSize), nil, []byte(magic), exampleSlot(t)[:100]}
	for _, s := range []slot{{1, nil}, {1<<64 - 1, []byte("value")}, {7, make([]byte, MaxValue)}} {
		b, err := encoded(kind, s)
		must(t, err)
		seeds = append(seeds, b)
	}
	return seeds
}

func TestThereAreSeeds(t *testing.T) {
	if n := len(slotSeeds(t)); n != 8 {
		t.Errorf("%d seeds", n)
	}
}

// encoded is a block of its own.
func encoded(kind string, s slot) ([]byte, error) {
	b := make([]byte, blockSize)
	if err := encodeSlot(b, kind, s); err != nil {
		return nil, err
	}
	return b, nil
}
