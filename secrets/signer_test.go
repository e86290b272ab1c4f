package secrets

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"twokey/internal/safefile"
)

func exampleSigning(t testing.TB) *SigningKey {
	t.Helper()
	key, err := parseSigningKey([]byte(exampleSigningKey + "\n"))
	must(t, err)
	return key
}

func exampleTo(t testing.TB) Recipient {
	t.Helper()
	r, err := ParseRecipient(exampleRecipient)
	must(t, err)
	return r
}

// signedFile puts a file of the signer into the place of a user's.
func signedFile(t testing.TB, users, name string, r *Record) {
	t.Helper()
	sealed, err := exampleSigning(t).Seal(r, exampleTo(t))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(users, name), sealed, 0o600))
}

// trusting opens the same store on a host that trusts these signers.
func trusting(t testing.TB, s *Store, signers ...string) *Store {
	t.Helper()
	again, err := Open(filepath.Dir(s.dir.Path()), s.keyPath, signers...)
	must(t, err)
	t.Cleanup(func() { must(t, again.Close()) })
	return again
}

func TestThePackageCommentShowsASignature(t *testing.T) {
	source, err := parser.ParseFile(token.NewFileSet(), "secrets.go", nil, parser.ParseComments|parser.PackageClauseOnly)
	must(t, err)
	comment := strings.ReplaceAll(source.Doc.Text(), "\\\n\t", "")
	for _, shown := range []string{exampleRecipient, exampleSigningKey, exampleSigner, exampleSigLine} {
		if !strings.Contains(comment, "\t"+shown) {
			t.Errorf("the package comment does not show %q", shown)
		}
	}
	key := exampleSigning(t)
	if exampleHostKey(t).Recipient() != exampleRecipient || key.Public().String() != exampleSigner {
		t.Errorf("the keys are those of %s and %s", exampleHostKey(t).Recipient(), key.Public())
	}
	sealed, err := key.Seal(example(), exampleTo(t))
	must(t, err)
	content, err := exampleHostKey(t).decrypt(sealed)
	want := exampleContent[:strings.LastIndex(exampleContent, macPrefix)] + exampleSigLine
	if err != nil || string(content) != want {
		t.Errorf("written as %q, %v", content, err)
	}
}

func TestASignedFileIsTakenFromThoseWhoAreTrusted(t *testing.T) {
	s, users := scratch(t)
	signedFile(t, users, "alice.age", example())
	r, err := s.Load("alice")
	want(t, r, err, ErrSigner)
	another, err := GenerateSigningKey(t.TempDir() + "/signing.key")
	must(t, err)
	s = trusting(t, s, another.String())
	r, err = s.Load("alice")
	want(t, r, err, ErrSigner)
	for _, text := range badSigners {
		s = trusting(t, s, text)
		r, err = s.Load("alice")
		want(t, r, err, ErrSigner)
		s = trusting(t, s, text, exampleSigner)
		if r, err = s.Load("alice"); err != nil || !reflect.DeepEqual(r, example()) {
			t.Errorf("%q keeps the others out: %v, %v", text, r, err)
		}
		if bad := BadSigners([]string{exampleSigner, text}); !slices.Equal(bad, []string{text}) {
			t.Errorf("bad are %q", bad)
		}
	}
	s = trusting(t, s, another.String(), exampleSigner)
	if r, err = s.Load("alice"); err != nil || !reflect.DeepEqual(r, example()) {
		t.Fatalf("%v, %v", r, err)
	}
	// What the host changes is its own from then on.
	must(t, s.Save(r))
	s = trusting(t, s)
	if r, err = s.Load("alice"); err != nil || !reflect.DeepEqual(r, example()) {
		t.Errorf("%v, %v", r, err)
	}
}

func TestMustRefuseAnotherUsersSignedFile(t *testing.T) {
	s, users := scratch(t)
	s = trusting(t, s, exampleSigner)
	signedFile(t, users, "bob.age", example())
	r, err := s.Load("bob")
	want(t, r, err, ErrWrongUser)
	signedFile(t, users, decoyFile, example())
	r, err = s.LoadDecoy()
	want(t, r, err, ErrWrongUser)
}

func TestMustRefuseASignedFileThatAnotherHostHasPassedOn(t *testing.T) {
	s, users := scratch(t)
	s = trusting(t, s, exampleSigner)
	must(t, GenerateHostKey(users+"/another.key"))
	another, err := OpenHostKey(users + "/another.key")
	must(t, err)
	to, err := ParseRecipient(another.Recipient())
	must(t, err)
	sealed, err := exampleSigning(t).Seal(example(), to)
	must(t, err)
	must(t, os.WriteFile(users+"/alice.age", sealed, 0o600))
	r, err := s.Load("alice")
	want(t, r, err, ErrWrongKey)
	content, err := another.decrypt(sealed)
	must(t, err)
	must(t, os.WriteFile(users+"/alice.age", encrypt(t, content, hostRecipient(t)), 0o600))
	r, err = s.Load("alice")
	want(t, r, err, ErrSignature)
}

func TestMustRefuseASignedFileThatIsTruncatedChangedOrContinued(t *testing.T) {
	content := exampleContent[:strings.LastIndex(exampleContent, macPrefix)] + exampleSigLine
	c := exampleChecks(t)
	if r, err := decode([]byte(content), c); err != nil || r == nil {
		t.Fatal(err)
	}
	for n := range len(content) {
		if r, err := decode([]byte(content[:n]), c); err == nil || r != nil {
			t.Errorf("the first %d bytes: %v, %v", n, r, err)
		}
		for bit := range 8 {
			changed := []byte(content)
			changed[n] ^= 1 << bit
			if r, err := decode(changed, c); err == nil || r != nil {
				t.Errorf("bit %d of byte %d changed: %v, %v", bit, n, r, err)
			}
		}
	}
	for b := range 256 {
		if r, err := decode(append([]byte(content), byte(b)), c); err == nil || r != nil {
			t.Errorf("continued by byte %d: %v, %v", b, r, err)
		}
	}
}

func TestARecordThatCannotBeKeptIsNotSigned(t *testing.T) {
	r := example()
	r.User = ""
	if sealed, err := exampleSigning(t).Seal(r, exampleTo(t)); err == nil || sealed != nil {
		t.Errorf("%d bytes, %v", len(sealed), err)
	}
}

// badSigners are texts that are no signer.
var badSigners = []string{
	"", "twokey-signer1", exampleSigner[:len(exampleSigner)-1], exampleSigner + "A", exampleSigner + "=", " " + exampleSigner, exampleSigner + "\n",
	strings.Replace(exampleSigner, "signer1", "signer2", 1), strings.ToUpper(exampleSigner), exampleSigningKey,
	"twokey-signer1" + strings.Repeat("A", 42) + "B", "twokey-signer1" + strings.Repeat("A", 42) + "+", exampleRecipient,
	exampleSigner[:30] + "\r" + exampleSigner[30:],
}

func TestParseSignerTakesOneSpelling(t *testing.T) {
	for _, text := range badSigners {
		if s, err := ParseSigner(text); !errors.Is(err, ErrSignerText) || s != (Signer{}) || strings.Contains(err.Error(), "AQID") {
			t.Errorf("%q is %v, %v", text, s, err)
		}
	}
	if len(badSigners) != 14 {
		t.Errorf("%d bad signers", len(badSigners))
	}
}

// With these keys a signature of an identity, or of another small point, and zeros is right for one message in eight or more, and nobody
// needs a private key for it: https://eprint.iacr.org/2020/823, table 6.1.
func TestMustNotTrustAKeyWithWhichAnybodySigns(t *testing.T) {
	small := []string{
		"0100000000000000000000000000000000000000000000000000000000000000", "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"0000000000000000000000000000000000000000000000000000000000000080", "0000000000000000000000000000000000000000000000000000000000000000",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa", "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85", "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"0100000000000000000000000000000000000000000000000000000000000080", "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	}
	forged := append([]byte{1}, make([]byte, ed25519.SignatureSize-1)...)
	for _, text := range small {
		key, err := hex.DecodeString(text)
		must(t, err)
		signs := false
		for message := range 256 {
			signs = signs || ed25519.Verify(key, []byte{byte(message)}, forged)
		}
		if !signs {
			t.Errorf("%s: nobody signs without a private key: no case for this test", text)
		}
		if s, err := ParseSigner(Signer{[ed25519.PublicKeySize]byte(key)}.String()); !errors.Is(err, ErrSignerText) || s != (Signer{}) {
			t.Errorf("%s is trusted: %v", text, err)
		}
	}
}

func TestParseRecipientTakesOneSpelling(t *testing.T) {
	for _, text := range []string{"", "age1", exampleRecipient[:61], exampleRecipient + "q", strings.ToUpper(exampleRecipient), " " + exampleRecipient,
		strings.Replace(exampleRecipient, "qvtt", "qvts", 1), exampleKey, exampleSigner, "ssh-ed25519 AAAA"} {
		if r, err := ParseRecipient(text); !errors.Is(err, ErrRecipientText) || r != (Recipient{}) || strings.Contains(err.Error(), "QQQS") {
			t.Errorf("%q is taken, %v", text, err)
		}
	}
}

func TestGenerateSigningKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "signing.key")
	old := unix.Umask(0)
	defer unix.Umask(old)
	signer, err := GenerateSigningKey(path)
	must(t, err)
	if st, err := os.Lstat(path); err != nil || st.Mode() != 0o600 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
	key, err := OpenSigningKey(path)
	must(t, err)
	before, err := os.ReadFile(path)
	must(t, err)
	if key.Public() != signer || !strings.Contains(string(before), "# public: "+signer.String()+"\n") {
		t.Errorf("%v in a file of\n%s", signer, before)
	}
	if _, err := GenerateSigningKey(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("made again: %v", err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, before) {
		t.Errorf("the file has changed, %v", err)
	}
	key.Wipe()
	if !bytes.Equal(key.private, make([]byte, 64)) {
		t.Error("the key is still there")
	}
}

// badSigningKeys are contents that are no signing key.
var badSigningKeys = []string{
	"", "# comment\n", exampleSigningKey + "\n" + exampleSigningKey + "\n", exampleSigner, exampleKey, exampleSigningKey[:61], exampleSigningKey + "A",
	exampleSigningKey + "=", " " + exampleSigningKey, exampleSigningKey + " ", exampleSigningKey[:61] + "B", "\x00\xff", strings.ToUpper(exampleSigningKey),
}

func TestAFileThatIsNoSigningKeyIsRefusedWithoutShowingIt(t *testing.T) {
	if len(badSigningKeys) != 13 {
		t.Errorf("%d bad signing keys", len(badSigningKeys))
	}
	for _, content := range badSigningKeys {
		path := filepath.Join(t.TempDir(), "signing.key")
		must(t, os.WriteFile(path, []byte(content), 0o600))
		key, err := OpenSigningKey(path)
		if key != nil || !errors.Is(err, ErrSigningKey) || strings.Contains(err.Error(), "AQIDBAUG") {
			t.Errorf("%q: %v, %v", content, key, err)
		}
	}
	path := filepath.Join(t.TempDir(), "signing.key")
	if key, err := OpenSigningKey(path); key != nil || !errors.Is(err, ErrSigningKey) {
		t.Errorf("missing: %v, %v", key, err)
	}
	must(t, os.WriteFile(path, []byte(exampleSigningKey), 0o644))
	if key, err := OpenSigningKey(path); key != nil || !errors.Is(err, safefile.ErrMode) {
		t.Errorf("others can read it: %v, %v", key, err)
	}
}

func TestMustNotShowASigningKeyWhenItIsPrinted(t *testing.T) {
	key := exampleSigning(t)
	for _, value := range []any{key, *key, struct{ K *SigningKey }{key}} {
		for _, form := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
			text := fmt.Sprintf(form, value)
			for _, secret := range []string{"0102030405", "1 2 3 4 5", "AQIDBAUG", `\x01\x02\x03`, "0x1, 0x2"} {
				if strings.Contains(text, secret) {
					t.Errorf("%s of %T shows %s", form, value, text)
				}
			}
		}
	}
}

func FuzzParseSigner(f *testing.F) {
	for _, text := range append(badSigners, exampleSigner) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSigner(text)
		if err == nil && s.String() != text || err != nil && (!errors.Is(err, ErrSignerText) || s != Signer{}) {
			t.Errorf("%q is %v, %v", text, s, err)
		}
	})
}

func FuzzParseSigningKey(f *testing.F) {
	for _, content := range append(badSigningKeys, exampleSigningKey) {
		f.Add([]byte(content))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		key, err := parseSigningKey(content)
		if (err == nil) != (key != nil) || err != nil && !errors.Is(err, ErrSigningKey) {
			t.Errorf("%q: %v, %v", content, key, err)
		}
	})
}
