package secrets

import (
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"golang.org/x/sys/unix"

	"twokey/internal/safefile"
)

func TestGenerateHostKey(t *testing.T) {
	path, another := filepath.Join(t.TempDir(), "host.key"), filepath.Join(t.TempDir(), "host.key")
	old := unix.Umask(0)
	defer unix.Umask(old)
	must(t, GenerateHostKey(path))
	if st, err := os.Lstat(path); err != nil || st.Mode() != 0o600 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
	key, err := OpenHostKey(path)
	must(t, err)
	content, err := os.ReadFile(path)
	must(t, err)
	identities, err := age.ParseIdentities(strings.NewReader(string(content)))
	if err != nil || len(identities) != 1 {
		t.Fatalf("age reads %d identities, %v", len(identities), err)
	}
	recipient := identities[0].(*age.X25519Identity).Recipient().String()
	if key.Recipient() != recipient || !strings.Contains(string(content), "# public recipient: "+recipient+"\n") {
		t.Errorf("recipient %s, in a file of\n%s", key.Recipient(), content)
	}
	must(t, GenerateHostKey(another))
	if other, err := OpenHostKey(another); err != nil || other.Recipient() == key.Recipient() {
		t.Errorf("another host has the same key, or %v", err)
	}
}

func TestMustNotReplaceAHostKey(t *testing.T) {
	dir := t.TempDir()
	for _, content := range []string{exampleKey, "", "damaged"} {
		path := filepath.Join(dir, "host.key")
		must(t, os.WriteFile(path, []byte(content), 0o600))
		if err := GenerateHostKey(path); !errors.Is(err, fs.ErrExist) {
			t.Errorf("error %v, want that it exists", err)
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != content {
			t.Errorf("the file is now %q, %v", b, err)
		}
	}
}

// The key comes from testdata/make.py, by HKDF as RFC 5869 says.
func TestTheMACKeyIsDerivedAsThePackageCommentSays(t *testing.T) {
	const want = "407b3cf20c8fe6bab652dae26976574edb15d41e7396e285761303784e8c17ba"
	for _, content := range []string{
		exampleKey, exampleKey + "\n", "# comment\n\n" + exampleKey + "\n# another\n", "\r\n" + exampleKey + "\r\n",
	} {
		key, err := parseHostKey([]byte(content))
		if err != nil || hex.EncodeToString(key.macKey) != want {
			t.Errorf("%q: %v, %v", content, key, err)
		}
	}
}

// badHostKeys are contents that are no host key.
var badHostKeys = map[string]string{
	"nothing":            "",
	"only comments":      "# public key\n",
	"two keys":           exampleKey + "\n" + exampleKey + "\n",
	"a recipient":        "age1zz4r4q9j2vwq05ef5vv3n5c2s4a5c5vqk7sd2m8gh9jvk7jpvujqm5gf0a",
	"small letters":      strings.ToLower(exampleKey),
	"cut short":          exampleKey[:73],
	"one letter changed": strings.Replace(exampleKey, "FPG9", "FPG8", 1),
	"a space before":     " " + exampleKey,
	"a space behind":     exampleKey + " ",
	"a key behind a key": exampleKey + exampleKey,
	"quotation marks":    `"` + exampleKey + `"`,
	"a hybrid key":       "AGE-SECRET-KEY-PQ-1" + exampleKey[16:],
	"not text":           "\x00\xff\xfe",
	"a user's content":   exampleContent,
}

func TestAFileThatIsNoHostKeyIsRefusedWithoutShowingIt(t *testing.T) {
	if len(badHostKeys) != 14 {
		t.Errorf("%d bad host keys", len(badHostKeys))
	}
	for what, content := range badHostKeys {
		path := filepath.Join(t.TempDir(), "host.key")
		must(t, os.WriteFile(path, []byte(content), 0o600))
		key, err := OpenHostKey(path)
		if key != nil || !errors.Is(err, ErrHostKey) {
			t.Errorf("%s: %v, %v", what, key, err)
		}
		if strings.Contains(err.Error(), "FPG") || strings.Contains(err.Error(), "QQQS") {
			t.Errorf("%s: the error shows part of the key: %v", what, err)
		}
	}
}

func TestAHostKeyFileThatOthersCouldReadOrWriteIsRefused(t *testing.T) {
	for what, test := range map[string]struct {
		prepare func(path string) error
		want    error
	}{
		"missing":                             {os.Remove, ErrHostKey},
		"group-readable":                      {func(path string) error { return os.Chmod(path, 0o640) }, safefile.ErrMode},
		"world-readable":                      {func(path string) error { return os.Chmod(path, 0o604) }, safefile.ErrMode},
		"foreign-owned":                       {func(path string) error { return os.Chown(path, 48611, 0) }, safefile.ErrOwner},
		"a second name":                       {func(path string) error { return os.Link(path, path+"2") }, safefile.ErrLinks},
		"huge":                                {func(path string) error { return os.Truncate(path, maxKeyFile+1) }, safefile.ErrSize},
		"a symbolic link":                     {func(path string) error { return errors.Join(os.Rename(path, path+"2"), os.Symlink(path+"2", path)) }, safefile.ErrType},
		"a FIFO":                              {func(path string) error { return errors.Join(os.Remove(path), unix.Mkfifo(path, 0o600)) }, safefile.ErrType},
		"a directory":                         {func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) }, safefile.ErrType},
		"in a folder that anybody may change": {func(path string) error { return os.Chmod(filepath.Dir(path), 0o777) }, safefile.ErrMode},
	} {
		made, users := scratch(t)
		must(t, made.Save(example()))
		s, err := Open(filepath.Dir(users), made.keyPath)
		must(t, err)
		must(t, test.prepare(s.keyPath))
		r, err := s.Load("alice")
		want(t, r, err, test.want)
		if errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: an enrolled user is taken for one who is not: %v", what, err)
		}
		if enrolled, err := s.Enrolled("alice"); !enrolled || err != nil {
			t.Errorf("%s: enrolled %v, %v, want that it can be said without the key", what, enrolled, err)
		}
		if err := s.Save(example()); err == nil {
			t.Errorf("%s: a file was saved", what)
		}
		must(t, s.Close())
	}
}

func TestCloseWipesTheKey(t *testing.T) {
	dir := t.TempDir()
	must(t, GenerateHostKey(filepath.Join(dir, "host.key")))
	s, err := Create(filepath.Join(dir, "data"), filepath.Join(dir, "host.key"))
	must(t, err)
	must(t, s.Save(example()))
	key := s.hostKey
	macKey := key.macKey
	must(t, s.Close())
	if string(macKey) != string(make([]byte, 32)) || key.identity != nil || s.hostKey != nil {
		t.Error("the key is still there")
	}
	r, err := s.Load("alice")
	if err == nil || r != nil {
		t.Errorf("a closed store can be read: %v", r)
	}
}

func FuzzParseHostKey(f *testing.F) {
	f.Add([]byte(exampleKey))
	f.Add([]byte("# comment\n\n" + exampleKey + "\n"))
	for _, content := range badHostKeys {
		f.Add([]byte(content))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		key, err := parseHostKey(content)
		if (err == nil) != (key != nil) || err != nil && !errors.Is(err, ErrHostKey) {
			t.Fatalf("%v, %v", key, err)
		}
		// Age's own reader is the judge of the one line that counts.
		var known *age.X25519Identity
		line, lineErr := onlyLine(content)
		if lineErr == nil {
			known, lineErr = age.ParseX25519Identity(string(line))
		}
		if (err == nil) != (lineErr == nil) {
			t.Fatalf("%q: %v, age says %v", content, err, lineErr)
		}
		if err == nil && (known.String() != string(line) || known.Recipient().String() != key.Recipient()) {
			t.Errorf("%q is taken for another key or spelling", content)
		}
	})
}
