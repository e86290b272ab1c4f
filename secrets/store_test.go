package secrets

import (
	"bytes"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"filippo.io/age"
	"golang.org/x/sys/unix"

	"twokey/internal/safefile"
)

func TestSaveAndLoad(t *testing.T) {
	s, users := scratch(t)
	names := []string{"alice", "Alice", `DOM\user`, "user@example.org", "machine$", "a/b", "..", ".", "%decoy", "%", "ü", "a b",
		strings.Repeat("x", 250), strings.Repeat("ü", 128)}
	for _, name := range names {
		if enrolled, err := s.Enrolled(name); enrolled || err != nil {
			t.Errorf("%q before: enrolled %v, %v", name, enrolled, err)
		}
		r, err := s.Load(name)
		want(t, r, err, fs.ErrNotExist)
		must(t, s.Save(largest(name)))
	}
	for _, name := range names {
		enrolled, err := s.Enrolled(name)
		if !enrolled || err != nil {
			t.Errorf("%q: enrolled %v, %v", name, enrolled, err)
		}
		r, err := s.Load(name)
		if err != nil || !reflect.DeepEqual(r, largest(name)) {
			t.Errorf("%q: %v, %v", name, r, err)
		}
	}
	slices.Sort(names)
	if got, err := s.Users(); err != nil || !slices.Equal(got, names) {
		t.Errorf("users %q, %v", got, err)
	}
	for _, name := range names {
		must(t, s.Remove(name))
		if err := s.Remove(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q removed twice: %v", name, err)
		}
		if enrolled, err := s.Enrolled(name); enrolled || err != nil {
			t.Errorf("%q removed: enrolled %v, %v", name, enrolled, err)
		}
	}
	if left, err := os.ReadDir(users); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestARecordThatCannotBeKeptChangesNothing(t *testing.T) {
	s, users := scratch(t)
	must(t, s.Save(example()))
	before, err := os.ReadFile(users + "/alice.age")
	must(t, err)
	for _, name := range []string{"", "a\nb", strings.Repeat("x", 300), "\xff", "a\x00", "\x1b[2J"} {
		r := example()
		r.User = name
		if err := s.Save(r); err == nil {
			t.Errorf("%q was saved", name)
		}
		r, err := s.Load(name)
		want(t, r, err, fs.ErrNotExist)
	}
	r := example()
	r.Devices[0].Digits = 13
	if err := s.Save(r); err == nil {
		t.Error("13 digits were saved")
	}
	if after, err := os.ReadFile(users + "/alice.age"); err != nil || !bytes.Equal(after, before) {
		t.Errorf("the old file has changed, %v", err)
	}
	if got, err := s.Users(); err != nil || !slices.Equal(got, []string{"alice"}) {
		t.Errorf("users %q, %v", got, err)
	}
}

// encrypt is what anybody can do who knows the host's recipient.
func encrypt(t testing.TB, content []byte, recipients ...age.Recipient) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := age.Encrypt(&b, recipients...)
	must(t, err)
	_, err = w.Write(content)
	must(t, errors.Join(err, w.Close()))
	return b.Bytes()
}

func hostRecipient(t testing.TB) age.Recipient {
	t.Helper()
	r, err := age.ParseX25519Recipient(exampleHostKey(t).Recipient())
	must(t, err)
	return r
}

func TestMustRefuseAFileThatWasNotMadeWithTheHostKey(t *testing.T) {
	s, users := scratch(t)
	must(t, s.Save(example()))
	foreign, err := encodeWith(example(), []byte("a key of the attacker's, 32 bytes"))
	must(t, err)
	unsigned := exampleContent[:strings.LastIndex(exampleContent, macPrefix)]
	for _, content := range [][]byte{foreign, []byte(unsigned), []byte(unsigned + macPrefix + "\n")} {
		must(t, os.WriteFile(users+"/alice.age", encrypt(t, content, hostRecipient(t)), 0o600))
		r, err := s.Load("alice")
		want(t, r, err, ErrMAC)
	}
}

func TestMustRefuseAnotherUsersFile(t *testing.T) {
	s, users := scratch(t)
	mallory := example()
	mallory.User = "mallory"
	must(t, s.Save(example()))
	must(t, s.Save(mallory))
	must(t, s.CreateDecoy(example()))
	for _, other := range []string{"mallory.age", decoyFile} {
		b, err := os.ReadFile(filepath.Join(users, other))
		must(t, err)
		must(t, os.WriteFile(users+"/alice.age", b, 0o600))
		r, err := s.Load("alice")
		want(t, r, err, ErrWrongUser)
	}
	b, err := os.ReadFile(users + "/mallory.age")
	must(t, err)
	must(t, os.WriteFile(filepath.Join(users, decoyFile), b, 0o600))
	r, err := s.LoadDecoy()
	want(t, r, err, ErrWrongUser)
}

func TestAFileOfAnotherHostIsRefused(t *testing.T) {
	s, users := scratch(t)
	must(t, s.Save(example()))
	must(t, os.Remove(s.keyPath))
	must(t, GenerateHostKey(s.keyPath))
	s, err := Open(filepath.Dir(users), s.keyPath)
	must(t, err)
	r, err := s.Load("alice")
	want(t, r, err, ErrWrongKey)
	must(t, s.Close())
}

func TestMustRefuseAFileThatIsTruncatedChangedOrContinued(t *testing.T) {
	key := exampleHostKey(t)
	sealed, err := key.seal(example())
	must(t, err)
	if r, err := key.open(sealed, nil); err != nil || !reflect.DeepEqual(r, example()) {
		t.Fatalf("%v, %v", r, err)
	}
	for n := range len(sealed) {
		r, err := key.open(sealed[:n], nil)
		want(t, r, err, ErrCorrupt)
		changed := bytes.Clone(sealed)
		changed[n] ^= 1 << rand.IntN(8)
		if r, err := key.open(changed, nil); r != nil || !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrWrongKey) {
			t.Errorf("byte %d changed to %#x: %v, %v", n, changed[n], r, err)
		}
	}
	for _, more := range []string{"\x00", "\n", "age-encryption.org/v1\n", string(sealed)} {
		r, err := key.open(append(bytes.Clone(sealed), more...), nil)
		want(t, r, err, ErrCorrupt)
	}
}

func TestMustNotTakeAnythingButAMissingFileForAUserWhoIsNotEnrolled(t *testing.T) {
	for what, test := range map[string]struct {
		prepare func(path string) error
		want    error
	}{
		"group-readable":  {func(path string) error { return os.Chmod(path, 0o640) }, safefile.ErrMode},
		"group-writable":  {func(path string) error { return os.Chmod(path, 0o620) }, safefile.ErrMode},
		"world-readable":  {func(path string) error { return os.Chmod(path, 0o604) }, safefile.ErrMode},
		"foreign-owned":   {func(path string) error { return os.Chown(path, 48611, 0) }, safefile.ErrOwner},
		"a hard link":     {func(path string) error { return os.Link(path, path+"2") }, safefile.ErrLinks},
		"huge":            {func(path string) error { return os.Truncate(path, maxFile+1) }, safefile.ErrSize},
		"empty":           {func(path string) error { return os.Truncate(path, 0) }, ErrCorrupt},
		"longer by zeros": {func(path string) error { return os.Truncate(path, maxFile) }, ErrCorrupt},
		"a symbolic link": {func(path string) error { return errors.Join(os.Rename(path, path+"2"), os.Symlink(path+"2", path)) }, safefile.ErrType},
		"a dangling link": {func(path string) error { return errors.Join(os.Remove(path), os.Symlink("none", path)) }, safefile.ErrType},
		"a FIFO":          {func(path string) error { return errors.Join(os.Remove(path), unix.Mkfifo(path, 0o600)) }, safefile.ErrType},
		"a directory":     {func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) }, safefile.ErrType},
		"random bytes":    {func(path string) error { return os.WriteFile(path, []byte("\x8e\x01\xd4\x77"), 0o600) }, ErrCorrupt},
	} {
		s, users := scratch(t)
		must(t, s.Save(example()))
		must(t, test.prepare(users+"/alice.age"))
		r, err := s.Load("alice")
		want(t, r, err, test.want)
		if errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: taken for a user who is not enrolled", what)
		}
		if enrolled, err := s.Enrolled("alice"); !enrolled || err != nil {
			t.Errorf("%s: enrolled %v, %v", what, enrolled, err)
		}
		if users, err := s.Users(); err != nil || !slices.Equal(users, []string{"alice"}) {
			t.Errorf("%s: users %q, %v", what, users, err)
		}
	}
}

func TestMustNotSpendMemoryOrTimeOnAFileOfAnySize(t *testing.T) {
	s, users := scratch(t)
	must(t, os.WriteFile(users+"/alice.age", nil, 0o600))
	for _, size := range []int64{maxFile + 1, 1 << 40} {
		must(t, os.Truncate(users+"/alice.age", size))
		r, err := s.Load("alice")
		want(t, r, err, safefile.ErrSize)
	}
}

// A stanza for a passphrase says itself how much work it wants: 2^40 here. It is never looked at.
func TestMustNotSpendTimeOnAPassphrase(t *testing.T) {
	key := exampleHostKey(t)
	passphrase, err := age.NewScryptRecipient("passphrase")
	must(t, err)
	passphrase.SetWorkFactor(10)
	sealed := encrypt(t, []byte(exampleContent), passphrase)
	for _, work := range []string{" 10\n", " 40\n"} {
		r, err := key.open(bytes.Replace(sealed, []byte(" 10\n"), []byte(work), 1), nil)
		want(t, r, err, ErrWrongKey)
	}
	hybrid, err := age.GenerateHybridIdentity()
	must(t, err)
	r, err := key.open(encrypt(t, []byte(exampleContent), hybrid.Recipient()), nil)
	want(t, r, err, ErrWrongKey)
}

func TestUsersLeavesOutWhatIsNoUsersFile(t *testing.T) {
	s, users := scratch(t)
	long := strings.Repeat("x", 250)
	for _, name := range []string{"bob", long, "alice"} {
		r := example()
		r.User = name
		must(t, s.Save(r))
	}
	must(t, s.CreateDecoy(example()))
	for _, name := range []string{"notes.txt", "alice.age~", ".new-0011223344556677", "age", "alice.age.bak"} {
		must(t, os.WriteFile(filepath.Join(users, name), []byte("content"), 0o600))
	}
	if got, err := s.Users(); err != nil || !slices.Equal(got, []string{"alice", "bob", long}) {
		t.Errorf("users %q, %v", got, err)
	}
	// What cannot be said must not be left out in silence.
	for name, sentinel := range map[string]error{
		fileName(strings.Repeat("y", 250)): ErrCorrupt, "a b.age": ErrCorrupt, "%61lice.age": ErrCorrupt, ".age": ErrCorrupt,
	} {
		must(t, os.WriteFile(filepath.Join(users, name), []byte("content"), 0o600))
		got, err := s.Users()
		if !errors.Is(err, sentinel) || !strings.Contains(err.Error(), name) || !slices.Equal(got, []string{"alice", "bob", long}) {
			t.Errorf("%s: users %q, %v", name, got, err)
		}
		must(t, os.Remove(filepath.Join(users, name)))
	}
	b, err := os.ReadFile(users + "/alice.age")
	must(t, err)
	must(t, os.WriteFile(filepath.Join(users, fileName(strings.Repeat("y", 250))), b, 0o600))
	if got, err := s.Users(); !errors.Is(err, ErrWrongUser) || len(got) != 3 {
		t.Errorf("a copy under a long name: users %q, %v", got, err)
	}
}

func TestTheDecoyIsNobody(t *testing.T) {
	s, users := scratch(t)
	r, err := s.LoadDecoy()
	want(t, r, err, fs.ErrNotExist)
	given := example()
	must(t, s.CreateDecoy(given))
	if given.User != "alice" {
		t.Errorf("the caller's record now belongs to %q", given.User)
	}
	r, err = s.LoadDecoy()
	if err != nil || len(r.Devices) != 1 {
		t.Errorf("%v, %v", r, err)
	}
	before, err := os.ReadFile(filepath.Join(users, decoyFile))
	must(t, err)
	must(t, s.CreateDecoy(example()))
	if after, err := os.ReadFile(filepath.Join(users, decoyFile)); err != nil || !bytes.Equal(after, before) {
		t.Errorf("made again, %v", err)
	}
	for _, name := range []string{"", decoyUser, "%", "decoy", "%decoy.age"} {
		if enrolled, err := s.Enrolled(name); enrolled || err != nil {
			t.Errorf("%q has the decoy's file, %v", name, err)
		}
	}
	if got, err := s.Users(); err != nil || len(got) != 0 {
		t.Errorf("users %q, %v", got, err)
	}
}

func TestOpenNeedsAFolderThatOnlyRootCanChange(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(dir, "host.key"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
	must(t, os.Mkdir(dir+"/users", 0o700))
	must(t, os.Chmod(dir+"/users", 0o770))
	for _, open := range []func(string, string) (*Store, error){func(data, key string) (*Store, error) { return Open(data, key) }, Create} {
		if s, err := open(dir, "host.key"); s != nil || !errors.Is(err, safefile.ErrMode) {
			t.Errorf("a folder that a group may change: %v", err)
		}
	}
}

func TestAFolderThatIsMadeIsRootsAlone(t *testing.T) {
	dir := t.TempDir()
	old := unix.Umask(0)
	defer unix.Umask(old)
	_, users := storeIn(t, dir)
	if st, err := os.Stat(users); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
}

func TestLoadWhileAnotherSavesSeesTheOldOrTheNewFile(t *testing.T) {
	s, _ := scratch(t)
	must(t, s.Save(example()))
	var saving sync.WaitGroup
	saving.Go(func() {
		for range 200 {
			if err := s.Save(example()); err != nil {
				t.Error(err)
			}
		}
	})
	for range 1000 {
		if r, err := s.Load("alice"); err != nil || r.User != "alice" {
			t.Errorf("%v, %v", r, err)
		}
	}
	saving.Wait()
}

func BenchmarkLoad(b *testing.B) {
	s, _ := scratch(b)
	must(b, s.Save(example()))
	for b.Loop() {
		if _, err := s.Load("alice"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSave(b *testing.B) {
	s, _ := scratch(b)
	for b.Loop() {
		if err := s.Save(example()); err != nil {
			b.Fatal(err)
		}
	}
}
