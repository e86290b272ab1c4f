package secrets

import (
	"bytes"
	"crypto/ecdh"
	"io"
	"strings"
	"testing"

	"filippo.io/age"
)

// Age's own reader, with its own identity, is the judge of what Wrap makes.
func TestAgeOpensWhatIsEncryptedToARecipient(t *testing.T) {
	for range 50 {
		identity, err := age.GenerateX25519Identity()
		must(t, err)
		r, err := ParseRecipient(identity.Recipient().String())
		must(t, err)
		if r.String() != identity.Recipient().String() {
			t.Errorf("%s became %s", identity.Recipient(), r)
		}
		sealed, err := sealTo([]byte("content"), r)
		must(t, err)
		plain, err := age.Decrypt(bytes.NewReader(sealed), identity)
		must(t, err)
		if content, err := io.ReadAll(plain); err != nil || string(content) != "content" {
			t.Errorf("%q, %v", content, err)
		}
	}
}

// The stanza is as long as age's, and in the same order, so that nobody can tell which program wrote a file.
func TestTheHeaderIsAsAgeWritesIt(t *testing.T) {
	identity, err := age.GenerateX25519Identity()
	must(t, err)
	r, err := ParseRecipient(identity.Recipient().String())
	must(t, err)
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
	if ours, theirs := shape(r), shape(identity.Recipient()); ours != theirs {
		t.Errorf("%q, and age writes %q", ours, theirs)
	}
}

func TestEveryFileHasAKeyOfItsOwn(t *testing.T) {
	identity, err := age.GenerateX25519Identity()
	must(t, err)
	r, err := ParseRecipient(identity.Recipient().String())
	must(t, err)
	seen := map[string]bool{}
	for range 20 {
		stanzas, err := r.Wrap(make([]byte, 16))
		must(t, err)
		for _, part := range []string{stanzas[0].Args[0], string(stanzas[0].Body)} {
			if seen[part] {
				t.Fatalf("%q comes twice", part)
			}
			seen[part] = true
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
