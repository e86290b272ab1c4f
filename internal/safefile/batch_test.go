package safefile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"twokey/internal/safefile/disktest"
)

// pair gives each set two files of the same content: first, which is placed first, and second.
func pair(d *Dir, content []byte) func(int, *Set) error {
	return func(i int, set *Set) error {
		return errors.Join(set.WriteNew(d, fmt.Sprintf("first%d", i), content, 0o600),
			set.Replace(d, fmt.Sprintf("second%d", i), content, 0o640))
	}
}

// bothWays runs a test with files that have no name until they are in place, and with temporary names.
func bothWays(t *testing.T, test func(t *testing.T)) {
	for what, files := range map[string]uint64{"without a name": openFiles, "under temporary names": 1024} {
		t.Run(what, func(t *testing.T) {
			var before unix.Rlimit
			must(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &before))
			t.Cleanup(func() { must(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &before)) })
			must(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: files, Max: max(files, before.Max)}))
			if many := files > 1024; manyFiles() != many {
				t.Fatalf("with %d files many are %v", files, manyFiles())
			}
			test(t)
		})
	}
}

func TestABatchWritesAllFiles(t *testing.T) { bothWays(t, batchWritesAllFiles) }

func batchWritesAllFiles(t *testing.T) {
	open := openDescriptors(t)
	for _, n := range []int{0, 1, chunk - 1, chunk, chunk + 1, 3*chunk + 7} {
		d, path := scratch(t)
		old := unix.Umask(0o077)
		errs, err := WriteAll(n, pair(d, []byte("content")))
		unix.Umask(old)
		must(t, errors.Join(append(errs, err)...))
		if names := all(t, path); len(names) != 2*n || len(errs) != n {
			t.Fatalf("%d files and %d errors of %d sets", len(names), len(errs), n)
		}
		for i := range n {
			holds(t, fmt.Sprintf("%s/first%d", path, i), "content", 0o600)
			holds(t, fmt.Sprintf("%s/second%d", path, i), "content", 0o640)
		}
		if open++; openDescriptors(t) != open { // that of the folder
			t.Errorf("%d files are open, want %d", openDescriptors(t), open)
		}
	}
}

func TestASetOfABatchThatFailsStopsNoOther(t *testing.T) { bothWays(t, setThatFails) }

func setThatFails(t *testing.T) {
	d, path := scratch(t)
	must(t, d.Replace("first2", []byte("old"), 0o600))
	must(t, d.Replace("second3", []byte("old"), 0o600))
	before, refusal := openDescriptors(t), errors.New("refused")
	errs, err := WriteAll(6, func(i int, set *Set) error {
		err := pair(d, []byte("new"))(i, set)
		switch i {
		case 1:
			return refusal
		case 4:
			return errors.Join(err, set.Replace(d, "../outside", nil, 0o600))
		}
		return err
	})
	must(t, err)
	for i, sentinel := range []error{nil, refusal, fs.ErrExist, nil, ErrName, nil} {
		if !errors.Is(errs[i], sentinel) || sentinel == nil && errs[i] != nil {
			t.Errorf("set %d: %v, want %v", i, errs[i], sentinel)
		}
	}
	holds(t, path+"/first2", "old", 0o600)
	holds(t, path+"/second3", "new", 0o640)
	if names := all(t, path); !slices.Equal(names, []string{"first0", "first2", "first3", "first5", "second0", "second3", "second5"}) {
		t.Errorf("files %q", names)
	}
	if open := openDescriptors(t); open != before {
		t.Errorf("%d files are open, and were %d", open, before)
	}
}

// setOnce puts two files in place, in one thread.
func setOnce(path string) error {
	runtime.LockOSThread() // strace counts the calls of each
	d, err := OpenDir(path)
	if err != nil {
		return err
	}
	set := Set{nameless: true}
	err = errors.Join(set.Replace(d, "first", []byte("content"), 0o600), set.WriteNew(d, "second", []byte("content"), 0o600))
	return errors.Join(err, set.place(), d.Close())
}

func TestAFileThatCannotBeWithoutANameHasATemporaryOne(t *testing.T) {
	_, path := scratch(t)
	trace, err := tracedTask(t, "oneset", path, "-P", path, "-e", "inject=openat:error=EOPNOTSUPP:when=2") // behind that of OpenDir
	must(t, err)
	if !regexp.MustCompile(`O_TMPFILE.*EOPNOTSUPP`).MatchString(trace) || !regexp.MustCompile(`renameat2.*"first"`).MatchString(trace) {
		t.Errorf("the first file was not refused, or not renamed:\n%s", trace)
	}
	holds(t, path+"/first", "content", 0o600)
	holds(t, path+"/second", "content", 0o600)
	if names := all(t, path); len(names) != 2 {
		t.Errorf("files %q", names)
	}
}

func TestAFileWithoutANameGetsOneAlsoByWhoHasNoCapability(t *testing.T) {
	_, path := scratch(t)
	trace, err := tracedTask(t, "oneset", path, "-e", "trace=linkat", "-e", "inject=linkat:error=ENOENT:when=1") // as Linux 6.9 says
	must(t, err)
	if !strings.Contains(trace, "/proc/self/fd/") {
		t.Errorf("not by the other way:\n%s", trace)
	}
	holds(t, path+"/first", "content", 0o600)
	holds(t, path+"/second", "content", 0o600)
}

func TestALockedFileOfABatchIsHeldUntilItsSetIsInPlace(t *testing.T) { bothWays(t, lockedFile) }

func lockedFile(t *testing.T) {
	whole := unix.Flock_t{Type: unix.F_WRLCK}
	take := func(fd int) error { return unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLK, &whole) }
	d, path := scratch(t)
	must(t, d.Replace("second1", []byte("old"), 0o600))
	looked := 0
	look := func(i int) func(int) error {
		return func(int) error { // while the second file of a set is about to be put in place
			f, err := d.Open(fmt.Sprintf("first%d", i), unix.O_RDWR, Secret)
			must(t, err)
			defer f.Close()
			if err := take(int(f.Fd())); !errors.Is(err, unix.EAGAIN) {
				t.Errorf("the first file is not locked: %v", err)
			}
			looked++
			return nil
		}
	}
	refusal := errors.New("refused")
	errs, err := WriteAll(3, func(i int, set *Set) error {
		lock := take
		if i == 2 {
			lock = func(int) error { return refusal }
		}
		return errors.Join(set.WriteNewLocked(d, fmt.Sprintf("first%d", i), nil, 0o600, lock, func(int) error { return nil }),
			set.WriteNewLocked(d, fmt.Sprintf("second%d", i), nil, 0o600, look(i), func(int) error { return nil }))
	})
	must(t, err)
	must(t, errs[0])
	if !errors.Is(errs[1], fs.ErrExist) || !errors.Is(errs[2], refusal) || looked != 2 {
		t.Errorf("%v; looked %d times", errs, looked)
	}
	if names := all(t, path); !slices.Equal(names, []string{"first0", "second0", "second1"}) {
		t.Errorf("a set that could not be put in place has left some of %q", names)
	}
	f, err := d.Open("first0", unix.O_RDWR, Secret)
	must(t, err)
	must(t, errors.Join(take(int(f.Fd())), f.Close()))
}

func TestABatchIsPreparedOnAllCores(t *testing.T) {
	var both atomic.Int32
	done := make(chan struct{})
	_, err := WriteAll(2, func(int, *Set) error {
		if both.Add(1) == 2 {
			close(done)
		}
		<-done // each waits for the other
		return nil
	})
	must(t, err)
}

func TestMustReplaceSoThatAFullDiskLeavesTheOldFilesOfABatch(t *testing.T) {
	bothWays(t, batchOnAFullDisk)
}

func batchOnAFullDisk(t *testing.T) {
	for _, fileSystem := range []string{"ext4", "xfs", "tmpfs"} {
		t.Run(fileSystem, func(t *testing.T) {
			path := disktest.Mount(t, fileSystem)
			d := open(t, path)
			must(t, d.Replace("second1", []byte("old"), 0o600))
			free := disktest.Fill(t, path)
			content := bytes.Repeat([]byte("new"), 3000)
			for range 3 {
				errs, _ := WriteAll(3, pair(d, content))
				for i, err := range errs {
					if !errors.Is(err, unix.ENOSPC) {
						t.Errorf("set %d: %v", i, err)
					}
				}
			}
			if names := all(t, path); !slices.Equal(names, []string{"second1"}) {
				t.Errorf("left behind: %q", names)
			}
			holds(t, path+"/second1", "old", 0o600)
			free()
			errs, err := WriteAll(3, pair(d, content))
			must(t, errors.Join(append(errs, err)...))
		})
	}
}

// batchForever is the task of the child that is killed: in every batch all files have a new number as their words.
func batchForever(path string) {
	d, err := OpenDir(path)
	if err != nil {
		panic(err)
	}
	fmt.Println("begun")
	for n := uint64(1); ; n++ {
		content := bytes.Repeat(binary.BigEndian.AppendUint64(nil, n), 1024)
		errs, err := WriteAll(20, func(i int, set *Set) error {
			return errors.Join(set.Replace(d, fmt.Sprintf("first%d", i), content, 0o600), set.Replace(d, fmt.Sprintf("second%d", i), content, 0o600))
		})
		if err := errors.Join(append(errs, err)...); err != nil {
			panic(err)
		}
	}
}

// number is that of the batch which a file comes from, 0 if there is no file.
func number(t *testing.T, d *Dir, name string) uint64 {
	t.Helper()
	content, err := d.Read(name, Secret)
	if errors.Is(err, fs.ErrNotExist) {
		return 0
	}
	if err != nil || len(content) != 8192 || !bytes.Equal(content[8:], content[:len(content)-8]) {
		t.Fatalf("%s: %d bytes, %v: not one whole content", name, len(content), err)
	}
	return binary.BigEndian.Uint64(content)
}

func TestMustReplaceSoThatKillAtAnyMomentLeavesWholeFilesInOrder(t *testing.T) {
	interrupted := 0
	for tries := 0; tries < 40 || interrupted == 0 && tries < 400; tries++ {
		d, path := scratch(t)
		cmd := child("batch", path)
		begun, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		_, err = begun.Read(make([]byte, 1))
		must(t, err)
		time.Sleep(rand.N(20 * time.Millisecond))
		must(t, cmd.Process.Kill())
		var exit *exec.ExitError
		if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != -1 {
			t.Fatalf("the child ended by itself: %v", err)
		}
		// In the order in which they are placed, each file is of the same batch as the one before it or of the batch before that.
		newest := number(t, d, "first0")
		last := newest
		for i := range 20 {
			for _, name := range []string{fmt.Sprintf("first%d", i), fmt.Sprintf("second%d", i)} {
				n := number(t, d, name)
				if n > last || n+1 < newest {
					t.Errorf("%s is of batch %d, behind a file of batch %d, in batch %d", name, n, last, newest)
				}
				last = n
			}
		}
		must(t, d.RemoveStale(time.Now().Add(2*time.Hour), time.Hour))
		for _, name := range all(t, path) {
			if strings.HasPrefix(name, tempPrefix) {
				t.Errorf("left behind: %s", name)
			}
		}
		if last != newest {
			interrupted++
		}
	}
	if interrupted == 0 {
		t.Error("no kill came while files were put in place: this test has shown nothing")
	}
}

func batchOnce(path string) error {
	d, err := OpenDir(path)
	if err != nil {
		return err
	}
	errs, err := WriteAll(2, pair(d, []byte("content")))
	return errors.Join(append(errs, err, d.Close())...)
}

func TestMustSynchroniseTheContentsOfABatchThenTheNamesThenTheDisk(t *testing.T) {
	_, path := scratch(t)
	trace, err := tracedTask(t, "onebatch", path, "-e", "trace=write,syncfs,fsync,linkat,renameat,renameat2")
	must(t, err)
	order := regexp.MustCompile(`(?s)^(?:[^\n]*write\([^\n]*\n)+[^\n]*syncfs\([^\n]*\n(?:[^\n]*(?:linkat|renameat2?)\([^\n]*\n){4}[^\n]*syncfs\(`)
	var ours []string
	for _, line := range strings.Split(trace, "\n") {
		if strings.Contains(line, path) {
			ours = append(ours, line)
		}
	}
	if text := strings.Join(ours, "\n"); !order.MatchString(text) || strings.Contains(text, "fsync(") {
		t.Errorf("not in this order:\n%s", text)
	}
}

func TestABatchOnADiskThatFailsPlacesNothing(t *testing.T) {
	for _, step := range []string{"fchmod:error=EPERM", "syncfs:error=EIO"} {
		_, path := scratch(t)
		if _, err := tracedTask(t, "onebatch", path, "-e", "inject="+step); err == nil {
			t.Errorf("%s: no error", step)
		}
		if left := all(t, path); len(left) != 0 {
			t.Errorf("%s left %q", step, left)
		}
	}
}

func TestABatchSynchronisesEachFileSystem(t *testing.T) {
	one, two := disktest.Mount(t, "ext4"), disktest.Mount(t, "tmpfs")
	a, b := open(t, one), open(t, two)
	var disks fileSystems
	sets := []Set{{}, {}}
	must(t, sets[0].Replace(a, "file", nil, 0o600))
	must(t, sets[1].Replace(b, "file", nil, 0o600))
	must(t, sets[1].Replace(b, "another", nil, 0o600))
	must(t, disks.syncWith(sets[:1]))
	must(t, disks.syncWith(sets[1:]))
	if len(disks.one) != 2 {
		t.Errorf("%d file systems", len(disks.one))
	}
	for i := range sets {
		sets[i].drop()
	}
	for _, path := range []string{one, two} {
		if _, err := os.Stat(path + "/file"); !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	}
}
