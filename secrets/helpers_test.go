package secrets

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// childVariable, when it is set, makes this program the child that is killed while it saves.
const childVariable = "SECRETS_TEST_CHILD"

// The example of a signed file in the package comment.
const (
	exampleRecipient  = "age13aqvttdk3ujkyjh9kg2w5an6dmy5mq5a84a4uxk3hfhnugfc9p0sy5p2wh"
	exampleSigningKey = "twokey-signing-key1AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA"
	exampleSigner     = "twokey-signer1ebVWLo_mVPlAeLES6KmLp5AfhTrmlb7X4OORC60ElmQ"
	exampleSigLine    = "sig 65b60673d6ed884b " +
		"YhziTeubanjsNB+SkzY65j9KPsaREw4i7icCjG6gjD9phfM19Dyauf6y7wrTH1baRQRuHy0VoCgByhUnB6OmAg\n"
)

// exampleKey and exampleContent are those of the package comment; TestThePackageCommentIsTheSpecification compares them.
const (
	exampleKey     = "AGE-SECRET-KEY-1QQQSYQCYQ5RQWZQFPG9SCRGWPUGPZYSNZS23V9CCRYDPK8QARC0SWRYDWG"
	exampleContent = `twokey user 2
{"user":"alice","serial":1767323045000,"phone":"+442079460958","phone_confirmed":true,"devices":[{` +
		`"id":"0001020304050607","name":"phone","method":"totp","secret":"MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=","digits":6,"period":30,` +
		`"algorithm":"SHA1","counter":0,"issuer":"Example Ltd","label":"alice@web1","created":"2026-01-02T03:04:05Z",` +
		`"until":"2027-06-30T22:00:00Z"}],"recovery":{"id":"08090a0b0c0d0e0f",` +
		`"key":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=","hashes":["W31Uqvbd2OO+0+SaEObR2A=="]}}
mac o5sLNQCot96ldD76uIcpCWiZDpBKQOK/JFq2BVAevBk
`
)

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		saveForever(os.Args[1], os.Args[2])
	}
	os.Exit(m.Run())
}

// must stops the test at an error of something that only prepares it.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// want fails the test unless err wraps the sentinel and nothing was returned beside it.
func want(t *testing.T, r *Record, err, sentinel error) {
	t.Helper()
	if !errors.Is(err, sentinel) || r != nil {
		t.Errorf("%v, error %v; want nothing and %q", r, err, sentinel)
	}
}

// example is the record of the package comment.
func example() *Record {
	r := &Record{User: "alice", Serial: 1767323045000, Phone: "+442079460958", PhoneConfirmed: true, Recovery: &Recovery{
		ID: ID{8, 9, 10, 11, 12, 13, 14, 15},
		Hashes: [][16]byte{
			{0x5b, 0x7d, 0x54, 0xaa, 0xf6, 0xdd, 0xd8, 0xe3, 0xbe, 0xd3, 0xe4, 0x9a, 0x10, 0xe6, 0xd1, 0xd8},
		},
	}}
	for i := range r.Recovery.Key {
		r.Recovery.Key[i] = byte(i)
	}
	r.Devices = []Device{{ID: ID{0, 1, 2, 3, 4, 5, 6, 7}, Name: "phone", Method: "totp", Secret: []byte("12345678901234567890"), Digits: 6,
		Period: 30, Algorithm: "SHA1", Issuer: "Example Ltd", Label: "alice@web1", Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Until: time.Date(2027, 6, 30, 22, 0, 0, 0, time.UTC)}}
	return r
}

// ofVersion1 is the example as version 1 had it.
func ofVersion1() *Record {
	r := example()
	r.Phone, r.PhoneConfirmed, r.Devices[0].Until = "", false, time.Time{}
	return r
}

// largest is a record of a user that fills every field.
func largest(user string) *Record {
	r := example()
	r.User = user
	long := make([]byte, maxText)
	for i := range long {
		long[i] = '"'
	}
	device := r.Devices[0]
	device.Secret, device.Issuer, device.Label = make([]byte, maxSecret), string(long), string(long)
	r.Devices, r.Recovery.Hashes = nil, nil
	for i := range MaxDevices {
		device.ID, device.Name = ID{1, byte(i)}, fmt.Sprintf("%032d", i)
		r.Devices = append(r.Devices, device)
	}
	for i := range MaxRecoveryCodes {
		r.Recovery.Hashes = append(r.Recovery.Hashes, [16]byte{byte(i)})
	}
	return r
}

// exampleChecks are those of a host with the example's key that trusts the example's signer.
func exampleChecks(t testing.TB) checks {
	t.Helper()
	key := exampleHostKey(t)
	signer, err := ParseSigner(exampleSigner)
	must(t, err)
	return checks{key.macKey, key.Recipient(), []Signer{signer}}
}

// encodeWith is the content of a file that is authenticated with a MAC key.
func encodeWith(r *Record, macKey []byte) ([]byte, error) {
	content, err := encode(r)
	if err != nil {
		return nil, err
	}
	return append(content, macLine(content, macKey)...), nil
}

func exampleHostKey(t testing.TB) *HostKey {
	t.Helper()
	key, err := parseHostKey([]byte(exampleKey))
	must(t, err)
	return key
}

// scratch is the store of a new host with the example's key, and its folder of users.
func scratch(t testing.TB) (s *Store, users string) {
	t.Helper()
	return storeIn(t, t.TempDir())
}

func storeIn(t testing.TB, dir string) (s *Store, users string) {
	t.Helper()
	must(t, os.WriteFile(filepath.Join(dir, "host.key"), []byte(exampleKey+"\n"), 0o600))
	s, err := Create(filepath.Join(dir, "data"), filepath.Join(dir, "host.key"))
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s, filepath.Join(dir, "data", "users")
}
