package secrets

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"
)

// bothIdentities are one key for us and for the library, which is the judge of what is right.
func bothIdentities(t testing.TB) (ours *identity, theirs *age.X25519Identity) {
	t.Helper()
	ours, err := parseIdentity(exampleKey)
	must(t, err)
	theirs, err = age.ParseX25519Identity(exampleKey)
	must(t, err)
	return ours, theirs
}

// sameUnwrap reports a key, or a kind of error, that is not that of the library.
func sameUnwrap(t *testing.T, stanzas []*age.Stanza) (opened bool) {
	t.Helper()
	ours, theirs := bothIdentities(t)
	got, err := ours.Unwrap(stanzas)
	want, wantErr := theirs.Unwrap(stanzas)
	if !slices.Equal(got, want) || (err == nil) != (wantErr == nil) || errors.Is(err, age.ErrIncorrectIdentity) != errors.Is(wantErr, age.ErrIncorrectIdentity) {
		t.Errorf("%v, %v, age says %v, %v", got, err, want, wantErr)
	}
	return err == nil
}

const fileKey = "0123456789abcdef"

// good is a stanza for the example's key.
func good(t testing.TB) age.Stanza {
	t.Helper()
	_, theirs := bothIdentities(t)
	stanzas, err := theirs.Recipient().Wrap([]byte(fileKey))
	must(t, err)
	return *stanzas[0]
}

// smallPoints are of small order (RFC 7748, section 6.1): with each the shared secret is zeros whoever multiplies it.
var smallPoints = []string{
	"0000000000000000000000000000000000000000000000000000000000000000", "0100000000000000000000000000000000000000000000000000000000000000",
	"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800", "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
}

// spoiltStanzas are what may stand in a file in place of a good stanza.
func spoiltStanzas(t testing.TB) map[string][]*age.Stanza {
	t.Helper()
	ours, _ := bothIdentities(t)
	with := func(change func(*age.Stanza)) []*age.Stanza {
		s := good(t)
		change(&s)
		return []*age.Stanza{&s}
	}
	short, err := ours.Wrap([]byte(fileKey[:15]))
	must(t, err)
	other, err := age.GenerateX25519Identity()
	must(t, err)
	elsewhere, err := other.Recipient().Wrap([]byte(fileKey))
	must(t, err)
	all := map[string][]*age.Stanza{
		"none":                        nil,
		"another type":                with(func(s *age.Stanza) { s.Type = "x25519" }),
		"no type":                     with(func(s *age.Stanza) { s.Type = "" }),
		"no argument":                 with(func(s *age.Stanza) { s.Args = nil }),
		"two arguments":               with(func(s *age.Stanza) { s.Args = append(s.Args, "") }),
		"a padded point":              with(func(s *age.Stanza) { s.Args[0] += "=" }),
		"a point with a line feed":    with(func(s *age.Stanza) { s.Args[0] += "\n" }),
		"a point with a return":       with(func(s *age.Stanza) { s.Args[0] = "\r" + s.Args[0] }),
		"a point in two spellings":    with(func(s *age.Stanza) { s.Args[0] = s.Args[0][:42] + "B" }),
		"a point of the URL alphabet": with(func(s *age.Stanza) { s.Args[0] = strings.Repeat("-", 43) }),
		"a short point":               with(func(s *age.Stanza) { s.Args[0] = s.Args[0][:40] }),
		"no point":                    with(func(s *age.Stanza) { s.Args[0] = "" }),
		"another point":               with(func(s *age.Stanza) { s.Args[0] = "CQ" + s.Args[0][2:] }),
		"a body that is cut off":      with(func(s *age.Stanza) { s.Body = s.Body[:31] }),
		"a body with more":            with(func(s *age.Stanza) { s.Body = append(s.Body, 0) }),
		"no body":                     with(func(s *age.Stanza) { s.Body = nil }),
		"a body that was changed":     with(func(s *age.Stanza) { s.Body[0] ^= 1 }),
		"a tag that was changed":      with(func(s *age.Stanza) { s.Body[31] ^= 1 }),
		"a short file key":            short,
		"another's":                   elsewhere,
	}
	for _, point := range smallPoints {
		all["the point "+point] = with(func(s *age.Stanza) { s.Args[0] = base64.RawStdEncoding.EncodeToString(unhex(t, point)) })
	}
	return all
}

func TestAFileKeyComesOutOfAGoodStanzaAlone(t *testing.T) {
	spoilt := spoiltStanzas(t)
	if len(spoilt) != 27 {
		t.Errorf("%d spoilt stanzas", len(spoilt))
	}
	s := good(t)
	ours, _ := bothIdentities(t)
	for what, stanzas := range spoilt {
		t.Run(what, func(t *testing.T) {
			if sameUnwrap(t, stanzas) {
				t.Error("it was opened")
			}
			sameUnwrap(t, append([]*age.Stanza{&s}, stanzas...))
			sameUnwrap(t, append(stanzas, &s))
		})
	}
	if key, err := ours.Unwrap([]*age.Stanza{&s}); err != nil || string(key) != fileKey {
		t.Errorf("%q, %v", key, err)
	}
	if key, err := ours.Unwrap(append(spoilt["another's"], &s)); err != nil || string(key) != fileKey {
		t.Errorf("the second of two: %q, %v", key, err)
	}
}

func FuzzUnwrap(f *testing.F) {
	for _, stanzas := range spoiltStanzas(f) {
		if len(stanzas) > 0 && len(stanzas[0].Args) > 0 {
			f.Add(stanzas[0].Type, stanzas[0].Args[0], stanzas[0].Body)
		}
	}
	s := good(f)
	f.Add(s.Type, s.Args[0], s.Body)
	f.Fuzz(func(t *testing.T, kind, argument string, body []byte) {
		sameUnwrap(t, []*age.Stanza{{Type: kind, Args: []string{argument}, Body: body}})
	})
}

// Texts of BIP 173, of which these are made of whole bytes, and of age.
func TestKeysAreWrittenAsBIP173Says(t *testing.T) {
	for text, key := range map[string]string{
		"a12uel5l": "",
		"split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w":                               "c5f38b70305f519bf66d85fb6cf03058f3dde463ecd7918f2dc743918f2d",
		"an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1tt5tgs": "",
		exampleKey: "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
	} {
		kind := text[:strings.LastIndexByte(text, '1')]
		if got := bech32(kind, unhex(t, key)); got != text {
			t.Errorf("%s, want %s", got, text)
		}
	}
	for range 50 {
		theirs, err := age.GenerateX25519Identity()
		must(t, err)
		ours, err := parseIdentity(theirs.String())
		must(t, err)
		if bech32(identityType, ours.private.Bytes()) != theirs.String() || ours.String() != theirs.Recipient().String() {
			t.Errorf("%s has the recipient %s, want %s", theirs, ours, theirs.Recipient())
		}
	}
}

// The last of the 52 characters has one bit of the key; whoever ignored the other four would take 16 texts for one key.
func TestAKeyHasOneSpelling(t *testing.T) {
	taken := 0
	for _, c := range bech32Alphabet {
		text := bech32Text(identityType, strings.ToLower(exampleKey[16:67])+string(c))
		_, err := parseIdentity(text)
		_, wantErr := age.ParseX25519Identity(text)
		if (err == nil) != (wantErr == nil) {
			t.Errorf("%s: %v, age says %v", text, err, wantErr)
		}
		if err == nil {
			taken++
		}
	}
	if taken != 2 {
		t.Errorf("%d keys, want those of the one bit", taken)
	}
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	must(t, err)
	return b
}
