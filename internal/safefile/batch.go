package safefile

import (
	"errors"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"twokey/internal/cores"
)

// Set is the files of a batch that belong together, such as those of one user. It is for one goroutine.
type Set struct {
	files    []staged
	nameless bool // files may have no name before they are in place
}

// Replace is Dir.Replace, put off until the batch ends.
func (s *Set) Replace(d *Dir, name string, content []byte, perm os.FileMode) error {
	return s.stage(content, perm, staged{dir: d, name: name})
}

// WriteNew is Dir.WriteNew, put off until the batch ends: only then it is seen whether the file exists.
func (s *Set) WriteNew(d *Dir, name string, content []byte, perm os.FileMode) error {
	return s.stage(content, perm, staged{dir: d, name: name, isNew: true})
}

// WriteNewLocked is WriteNew of a file that lock is called with before it has its name, and then when the files of the set behind it are
// in place too. It is closed after that, which ends the lock: who waits for it sees all of them.
func (s *Set) WriteNewLocked(d *Dir, name string, content []byte, perm os.FileMode, lock, then func(fd int) error) error {
	return s.stage(content, perm, staged{dir: d, name: name, isNew: true, lock: lock, then: then})
}

func (s *Set) stage(content []byte, perm os.FileMode, f staged) error {
	if err := plain(f.name); err != nil {
		return err
	}
	if err := f.write(content, perm, s.nameless); err != nil {
		return err
	}
	s.files = append(s.files, f)
	return nil
}

// chunk is how many sets are synchronised together. While those of one chunk are, the ones before are put in place and the next two are
// prepared.
const chunk = 500

// openFiles is above what two batches at once, of four chunks each and two files a set, have open.
const openFiles = 20 * chunk

// WriteAll writes the files of n sets with few syncfs(2) instead of two fsync(2) a file. It calls prepare for each set, on as many
// cores as there are; then the files that prepare has put into the sets are synchronised under temporary names, put in place, set by
// set and in each set in the order in which they were put into it, and their names synchronised.
//
// A set is put in place only if prepare returned nil, and from the first file of it that cannot be, such as a WriteNew of one that
// exists, the rest of the set is left out, and a locked file of it taken back. That is its error in the list, which has one for each
// set. When there is an error beside the list, the disk failed: some sets may be in place, and none may be counted on. Killed at any
// point, some sets are in place from the first on, at most one of them in part, each file whole. Where files can have no name (see
// staged), a process that was killed leaves nothing else, and in other places temporary files, which RemoveStale removes.
func WriteAll(n int, prepare func(i int, set *Set) error) ([]error, error) {
	b := &batch{sets: make([]Set, n), errs: make([]error, n), prepare: prepare, nameless: manyFiles()}
	staged, synced := make(chan int, 1), make(chan int)
	failed := make(chan error, 1)
	go func() { failed <- b.sync(staged, synced) }()
	placed := make(chan struct{})
	go func() {
		defer close(placed)
		for first := range synced {
			b.place(first)
		}
	}()
	for first := 0; first < n && !b.stopped.Load(); first += chunk {
		b.stage(first, b.end(first))
		staged <- first
	}
	close(staged)
	err := <-failed
	<-placed
	if err == nil {
		err = b.disks.sync()
	}
	return b.errs, err
}

// batch is one call of WriteAll.
type batch struct {
	sets    []Set
	errs    []error
	prepare func(i int, set *Set) error
	disks   fileSystems
	stopped atomic.Bool // one of them has failed

	nameless bool // of all sets
}

// manyFiles reports whether the process may have as many files open as batches without names need.
func manyFiles() bool {
	var limit unix.Rlimit
	return unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) == nil && limit.Cur >= openFiles
}

// stage prepares a chunk.
func (b *batch) stage(first, end int) {
	cores.Each(end-first, func(i int) {
		i += first
		b.sets[i].nameless = b.nameless
		if b.errs[i] = b.prepare(i, &b.sets[i]); b.errs[i] != nil {
			b.sets[i].drop()
		}
	})
}

// end is that of the chunk that begins with a set.
func (b *batch) end(first int) int { return min(first+chunk, len(b.sets)) }

// sync synchronises staged chunks. Behind one that cannot be, all are dropped.
func (b *batch) sync(staged <-chan int, synced chan<- int) error {
	defer close(synced)
	for first := range staged {
		if err := b.disks.syncWith(b.sets[first:b.end(first)]); err != nil {
			b.stopped.Store(true)
			b.drop(first)
			for first := range staged {
				b.drop(first)
			}
			return err
		}
		synced <- first
	}
	return nil
}

// place puts a chunk in place that is synchronised. Its names are synchronised with the next one, or at the end.
func (b *batch) place(first int) {
	for i := first; i < b.end(first); i++ {
		if b.errs[i] == nil {
			b.errs[i] = b.sets[i].place()
		}
	}
}

func (b *batch) drop(first int) {
	for i := first; i < b.end(first); i++ {
		b.sets[i].drop()
	}
}

// place puts the files of a set in place.
func (s *Set) place() error {
	files := s.files
	s.files = nil
	return place(files)
}

// drop removes what is not in place.
func (s *Set) drop() {
	drop(s.files)
	s.files = nil
}

// fileSystems are those on which a batch has written so far.
type fileSystems struct {
	seen map[*Dir]bool
	one  map[uint64]*Dir // a directory of each, by its device
}

// syncWith adds the file systems of the sets and synchronises all.
func (f *fileSystems) syncWith(sets []Set) error {
	if f.seen == nil {
		f.seen, f.one = map[*Dir]bool{}, map[uint64]*Dir{}
	}
	for _, s := range sets {
		for _, file := range s.files {
			if f.seen[file.dir] {
				continue
			}
			var st unix.Stat_t
			if err := unix.Fstat(file.dir.fd, &st); err != nil {
				return &os.PathError{Op: "stat", Path: file.dir.path, Err: err}
			}
			f.seen[file.dir], f.one[st.Dev] = true, file.dir
		}
	}
	return f.sync()
}

func (f *fileSystems) sync() error {
	var errs []error
	for _, d := range f.one {
		errs = append(errs, d.SyncAll())
	}
	return errors.Join(errs...)
}
