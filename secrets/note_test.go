package secrets

import (
	"bytes"
	"encoding/hex"
	"errors"
	"go/parser"
	"go/token"
	"math/rand/v2"
	"strings"
	"testing"
)

// exampleNote is that of the package comment: for "example", "hello". testdata/make.py's functions give the same HMAC.
const exampleNote = "74776f6b6579206e6f746520310a" + "68656c6c6f" +
	"b6e256832f2d4a01b89e46e611191bdd8d88ac89ae100dae6e8ff16d05590fee"

func TestThePackageCommentShowsANote(t *testing.T) {
	source, err := parser.ParseFile(token.NewFileSet(), "secrets.go", nil, parser.ParseComments|parser.PackageClauseOnly)
	must(t, err)
	shown := strings.NewReplacer("\n", "", "\t", "", " ", "", "\\", "").Replace(source.Doc.Text())
	if !strings.Contains(shown, exampleNote) {
		t.Errorf("the package comment does not show %s", exampleNote)
	}
	key := exampleHostKey(t)
	plain, err := hex.DecodeString(exampleNote)
	must(t, err)
	if content, err := key.OpenNote("example", encrypt(t, plain, hostRecipient(t))); err != nil || string(content) != "hello" {
		t.Errorf("read as %q, %v", content, err)
	}
	sealed, err := key.SealNote("example", []byte("hello"))
	must(t, err)
	if again, err := key.decrypt(sealed); err != nil || !bytes.Equal(again, plain) {
		t.Errorf("written as %x, %v", again, err)
	}
}

func TestANoteComesBack(t *testing.T) {
	s, _ := scratch(t)
	for _, size := range []int{0, 1, 100, MaxNote} {
		content := bytes.Repeat([]byte{'x'}, size)
		sealed, err := s.SealNote("enrolment of alice", content)
		must(t, err)
		if size > 20 && bytes.Contains(sealed, content[:20]) || len(sealed) > maxSealed {
			t.Errorf("%d bytes are sealed as %q", size, sealed)
		}
		if back, err := s.OpenNote("enrolment of alice", sealed); err != nil || !bytes.Equal(back, content) {
			t.Errorf("%d bytes come back as %d, %v", size, len(back), err)
		}
	}
	for info, size := range map[string]int{"": 1, "too long": MaxNote + 1} {
		if sealed, err := s.SealNote(info, make([]byte, size)); !errors.Is(err, ErrNote) || sealed != nil {
			t.Errorf("%q with %d bytes: %v", info, size, err)
		}
	}
}

func TestMustNotTakeANoteForOneOfAnotherPurposeOrForAUsersFile(t *testing.T) {
	s, users := scratch(t)
	key := exampleHostKey(t)
	sealed, err := key.SealNote("enrolment of alice", []byte(exampleContent))
	must(t, err)
	for _, info := range []string{"", "enrolment of bob", "enrolment of alice\x00", "enrolment of alic", "user file"} {
		refuses(t, key, info, sealed, ErrMAC)
	}
	_, err = key.open(sealed, nil)
	if !errors.Is(err, ErrCorrupt) {
		t.Errorf("taken for a user's file: %v", err)
	}
	must(t, s.Save(example()))
	file, err := s.dir.Read("alice.age", fileRules)
	must(t, err)
	refuses(t, key, "user file", file, ErrCorrupt)
	// Whoever knows the recipient can encrypt, and not authenticate.
	plain, err := hex.DecodeString(exampleNote)
	must(t, err)
	plain[len(plain)-1] ^= 1
	refuses(t, key, "example", encrypt(t, plain, hostRecipient(t)), ErrMAC)
	must(t, GenerateHostKey(users+"/another.key"))
	another, err := OpenHostKey(users + "/another.key")
	must(t, err)
	refuses(t, another, "enrolment of alice", sealed, ErrWrongKey)
}

func TestANoteThatIsTruncatedChangedOrContinuedIsRefused(t *testing.T) {
	key := exampleHostKey(t)
	sealed, err := key.SealNote("example", []byte("hello"))
	must(t, err)
	for n := range len(sealed) {
		refuses(t, key, "example", sealed[:n], ErrCorrupt)
		changed := bytes.Clone(sealed)
		changed[n] ^= 1 << rand.IntN(8)
		if content, err := key.OpenNote("example", changed); err == nil || content != nil {
			t.Errorf("byte %d changed: %q, %v", n, content, err)
		}
	}
	refuses(t, key, "example", append(bytes.Clone(sealed), 0), ErrCorrupt)
	refuses(t, key, "example", append(bytes.Clone(sealed), make([]byte, maxSealed)...), ErrCorrupt)
	plain, err := hex.DecodeString(exampleNote)
	must(t, err)
	for _, content := range [][]byte{nil, plain[:13], plain[:14], plain[:45], append([]byte("twokey note 2\n"), plain[14:]...),
		append(plain[:14:14], make([]byte, MaxNote+33)...)} {
		refuses(t, key, "example", encrypt(t, content, hostRecipient(t)), ErrCorrupt)
	}
}

func refuses(t *testing.T, key *HostKey, info string, sealed []byte, sentinel error) {
	t.Helper()
	if content, err := key.OpenNote(info, sealed); !errors.Is(err, sentinel) || content != nil {
		t.Errorf("for %q: %q, %v; want %v", info, content, err, sentinel)
	}
}

// What is inside an encryption that anybody can make.
func FuzzOpenNote(f *testing.F) {
	plain, err := hex.DecodeString(exampleNote)
	must(f, err)
	for _, seed := range [][]byte{plain, plain[:14], plain[:45], {}, []byte(exampleContent), append(bytes.Clone(plain), 0)} {
		f.Add(seed)
	}
	key := exampleHostKey(f)
	f.Fuzz(func(t *testing.T, inside []byte) {
		content, err := key.OpenNote("example", encrypt(t, inside, hostRecipient(t)))
		if err == nil && !bytes.Equal(inside, plain) {
			t.Errorf("%x was accepted as %q", inside, content)
		}
	})
}
