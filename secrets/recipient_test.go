package secrets

import (
	"bytes"
	"crypto/ecdh"
	"crypto/sha256"
	"io"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/edwards25519"
)

// recipients are the two ways in which files are encrypted to one host: from elsewhere, and by itself.
func recipients(t *testing.T) (identity *age.X25519Identity, all map[string]age.Recipient) {
	t.Helper()
	identity, err := age.GenerateX25519Identity()
	must(t, err)
	r, err := ParseRecipient(identity.Recipient().String())
	must(t, err)
	if r.String() != identity.Recipient().String() {
		t.Errorf("%s became %s", identity.Recipient(), r)
	}
	key, err := parseHostKey([]byte(identity.String()))
	must(t, err)
	return identity, map[string]age.Recipient{"from elsewhere": r, "by itself": key.identity}
}

// Age's own reader, with its own identity, is the judge of what Wrap makes.
func TestAgeOpensWhatIsEncryptedToARecipient(t *testing.T) {
	for range 50 {
		identity, all := recipients(t)
		for how, r := range all {
			sealed, err := sealTo([]byte("content"), r)
			must(t, err)
			plain, err := age.Decrypt(bytes.NewReader(sealed), identity)
			must(t, err)
			if content, err := io.ReadAll(plain); err != nil || string(content) != "content" {
				t.Errorf("%s: %q, %v", how, content, err)
			}
		}
	}
}

// crypto/ecdh is the judge of the short way: of an ephemeral key, and of what both sides make of it.
func TestTheMultiplesAreThoseOfX25519(t *testing.T) {
	keys := [][32]byte{{}, {1}, {31: 0xff}, [32]byte(bytes.Repeat([]byte{0xff}, 32))}
	for range 500 {
		keys = append(keys, sha256.Sum256(keys[len(keys)-1][:]))
	}
	other, err := ecdh.X25519().NewPrivateKey(bytes.Repeat([]byte{7}, 32))
	must(t, err)
	host, err := new(edwards25519.Scalar).SetBytesWithClamping(other.Bytes())
	must(t, err)
	for _, key := range keys {
		private, err := ecdh.X25519().NewPrivateKey(key[:])
		must(t, err)
		scalar, err := new(edwards25519.Scalar).SetBytesWithClamping(key[:])
		must(t, err)
		if got := multiple(scalar); !bytes.Equal(got, private.PublicKey().Bytes()) {
			t.Fatalf("the share of %x: %x, want %x", key, got, private.PublicKey().Bytes())
		}
		shared, err := private.ECDH(other.PublicKey())
		must(t, err)
		if got := multiple(scalar.Multiply(scalar, host)); !bytes.Equal(got, shared) {
			t.Fatalf("shared with %x: %x, want %x", key, got, shared)
		}
	}
}

// The stanza is as long as age's, and in the same order, so that nobody can tell which program wrote a file.
func TestTheHeaderIsAsAgeWritesIt(t *testing.T) {
	identity, all := recipients(t)
	shape := func(to age.Recipient) string {
		sealed, err := sealTo([]byte("content"), to)
		must(t, err)
		return strings.Map(func(c rune) rune {
			if strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", c) {
				return 'x'
			}
			return c
		}, string(sealed[:bytes.Index(sealed, []byte("\n--- "))])) + "\n"
	}
	for how, r := range all {
		if ours, theirs := shape(r), shape(identity.Recipient()); ours != theirs {
			t.Errorf("%s: %q, and age writes %q", how, ours, theirs)
		}
	}
}

func TestEveryFileHasAKeyOfItsOwn(t *testing.T) {
	_, all := recipients(t)
	seen := map[string]bool{}
	for range 20 {
		for how, r := range all {
			stanzas, err := r.Wrap(make([]byte, 16))
			must(t, err)
			for _, part := range []string{stanzas[0].Args[0], string(stanzas[0].Body)} {
				if seen[part] {
					t.Fatalf("%s: %q comes twice", how, part)
				}
				seen[part] = true
			}
		}
	}
}

// The attack: a recipient with which every shared secret is zero, so that anybody can open the file.
func TestNothingIsEncryptedToAPointOfSmallOrder(t *testing.T) {
	for _, first := range []byte{0, 1} {
		public, err := ecdh.X25519().NewPublicKey(append([]byte{first}, make([]byte, 31)...))
		must(t, err)
		if stanzas, err := (Recipient{public: public}).Wrap(make([]byte, 16)); err == nil || stanzas != nil {
			t.Errorf("%d: %v, %v", first, stanzas, err)
		}
	}
}

func BenchmarkSeal(b *testing.B) {
	key, err := parseHostKey([]byte(exampleKey))
	must(b, err)
	for b.Loop() {
		_, err := key.seal(example())
		must(b, err)
	}
}
