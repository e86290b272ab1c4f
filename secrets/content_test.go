package secrets

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// contentVectors and fileVectors are how many testdata/make.py has written.
const (
	contentVectors = 256
	fileVectors    = 17
)

// expectations are the failure classes of the vectors.
var expectations = map[string]error{
	"accepted": nil, "of version 1": nil, "damaged": ErrCorrupt, "not written here": ErrMAC, "signer unknown": ErrSigner, "signature wrong": ErrSignature, "another version": ErrVersion,
	"another user": ErrWrongUser, "another key": ErrWrongKey,
}

type vector struct {
	name string
	want error
	body []byte
}

func vectors(t testing.TB, folder string, count int) []vector {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", folder, "*.txt"))
	must(t, err)
	if len(files) != count {
		t.Fatalf("%d vectors in %s, want %d", len(files), folder, count)
	}
	var all []vector
	for _, file := range files {
		b, err := os.ReadFile(file)
		must(t, err)
		first, body, _ := bytes.Cut(b, []byte("\n\n"))
		class, isClass := strings.CutPrefix(string(first), "expect: ")
		sentinel, known := expectations[class]
		if !isClass || !known {
			t.Fatalf("%s expects %q", file, first)
		}
		all = append(all, vector{strings.TrimSuffix(filepath.Base(file), ".txt"), sentinel, body})
	}
	return all
}

// check compares one result with what the vector expects.
func (v vector) check(t *testing.T, r *Record, err error) {
	t.Helper()
	if !errors.Is(err, v.want) || (err == nil) != (r != nil) {
		t.Errorf("%v, error %v; want %v", r, err, v.want)
	}
}

func TestMustAcceptOneSpellingOfEachRecordOnly(t *testing.T) {
	key := exampleHostKey(t)
	accepted := 0
	for _, v := range vectors(t, "content", contentVectors) {
		t.Run(v.name, func(t *testing.T) {
			r, err := decode(v.body, exampleChecks(t))
			v.check(t, r, err)
			if err != nil {
				return
			}
			accepted++
			written := bytes.HasPrefix(v.body, []byte(magic+version2)) && !bytes.Contains(v.body, []byte("\n"+sigPrefix))
			if again, err := encodeWith(r, key.macKey); err != nil || bytes.Equal(again, v.body) != written {
				t.Errorf("comes out again as %q, %v", again, err)
			}
		})
	}
	if accepted != 19 {
		t.Errorf("%d vectors accepted, want 19", accepted)
	}
}

func TestFileVectors(t *testing.T) {
	s, users := scratch(t)
	s = trusting(t, s, exampleSigner)
	for _, v := range vectors(t, "file", fileVectors) {
		t.Run(v.name, func(t *testing.T) {
			file, err := base64.StdEncoding.DecodeString(string(v.body))
			must(t, err)
			must(t, os.WriteFile(filepath.Join(users, "alice.age"), file, 0o600))
			r, err := s.Load("alice")
			v.check(t, r, err)
			expected := example()
			if v.name == "of-version-1" {
				expected = ofVersion1()
			}
			if err == nil && !reflect.DeepEqual(r, expected) {
				t.Error("not the record of the example")
			}
		})
	}
}

func TestThePackageCommentIsTheSpecification(t *testing.T) {
	source, err := parser.ParseFile(token.NewFileSet(), "secrets.go", nil, parser.ParseComments|parser.PackageClauseOnly)
	must(t, err)
	comment := strings.ReplaceAll(source.Doc.Text(), "\n\t", "\n")
	for _, shown := range []string{"\n" + exampleKey + "\n", "\n" + exampleContent} {
		if !strings.Contains(strings.ReplaceAll(comment, "\\\n", ""), shown) {
			t.Errorf("the package comment does not show %q", shown)
		}
	}
	key := exampleHostKey(t)
	r, err := decode([]byte(exampleContent), exampleChecks(t))
	must(t, err)
	if !reflect.DeepEqual(r, example()) {
		t.Error("the example is another record")
	}
	if b, err := encodeWith(example(), key.macKey); err != nil || string(b) != exampleContent {
		t.Errorf("the record is written as %q, %v", b, err)
	}
}

func TestMustRefuseContentThatIsTruncatedChangedOrContinued(t *testing.T) {
	for n := range len(exampleContent) {
		if r, err := decode([]byte(exampleContent[:n]), exampleChecks(t)); err == nil || r != nil {
			t.Errorf("the first %d bytes: %v, %v", n, r, err)
		}
		for bit := range 8 {
			changed := []byte(exampleContent)
			changed[n] ^= 1 << bit
			if r, err := decode(changed, exampleChecks(t)); err == nil || r != nil {
				t.Errorf("bit %d of byte %d changed: %v, %v", bit, n, r, err)
			}
		}
	}
	for b := range 256 {
		if r, err := decode(append([]byte(exampleContent), byte(b)), exampleChecks(t)); err == nil || r != nil {
			t.Errorf("continued by byte %d: %v, %v", b, r, err)
		}
	}
}

func TestTheLargestRecordFits(t *testing.T) {
	key := exampleHostKey(t)
	r := largest(strings.Repeat("u", maxText))
	b, err := encodeWith(r, key.macKey)
	must(t, err)
	if len(b) > maxFile/3 {
		t.Errorf("%d bytes: hardly room for what a later version adds", len(b))
	}
	back, err := decode(b, exampleChecks(t))
	if err != nil || !reflect.DeepEqual(back, r) {
		t.Errorf("read back: %v", err)
	}
}

// sent is a device of sms or push.
func sent(method string) Device {
	return Device{ID: ID{1}, Name: method, Method: method, Secret: make([]byte, PhoneSecret), Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
}

func renamed(d Device) Device {
	d.ID, d.Name = ID{2}, "other"
	return d
}

// Check is what an administrator sees before anything is written; the vectors show the same limits when reading.
func TestCheckNamesWhatIsWrong(t *testing.T) {
	device := func(change func(*Device)) func(*Record) {
		return func(r *Record) { change(&r.Devices[0]) }
	}
	for want, change := range map[string]func(*Record){
		"user name":        func(r *Record) { r.User = "" },
		"printable":        func(r *Record) { r.User = "a\nb" },
		"want 1 to 256":    func(r *Record) { r.User = strings.Repeat("u", 300) },
		`"\xff"`:           func(r *Record) { r.User = "\xff" },
		"serial 0":         func(r *Record) { r.Serial = 0 },
		"11 devices":       func(r *Record) { r.Devices = make([]Device, 11) },
		"same name":        func(r *Record) { r.Devices = append(r.Devices, r.Devices[0]) },
		"no id":            device(func(d *Device) { d.ID = ID{} }),
		"device name":      device(func(d *Device) { d.Name = "" }),
		"unknown method":   device(func(d *Device) { d.Method = "fax" }),
		"want 32 for push": device(func(d *Device) { d.Method = "push" }),
		"push has no":      device(func(d *Device) { d.Method, d.Secret = "push", make([]byte, PhoneSecret) }),
		"no phone number":  func(r *Record) { r.Phone, r.PhoneConfirmed, r.Devices = "", false, []Device{sent("sms")} },
		"provider \"duo\"": device(func(d *Device) { d.Provider = "duo" }),
		"provider \"Duo\"": func(r *Record) { r.Devices = []Device{sent("push")}; r.Devices[0].Provider = "Duo" },
		"both of sms":      func(r *Record) { r.Devices = []Device{sent("sms"), renamed(sent("sms"))} },
		"both of push":     func(r *Record) { r.Devices = []Device{sent("push"), renamed(sent("push"))} },
		"0 bytes, want 10": device(func(d *Device) { d.Secret = nil }),
		"3 digits":         device(func(d *Device) { d.Digits = 3 }),
		"period of 0":      device(func(d *Device) { d.Period = 0 }),
		"counter 1":        device(func(d *Device) { d.Counter = 1 }),
		"algorithm":        device(func(d *Device) { d.Algorithm = "" }),
		"issuer":           device(func(d *Device) { d.Issuer = "\x1b" }),
		"label":            device(func(d *Device) { d.Label = "\u202e" }),
		"created":          device(func(d *Device) { d.Created = d.Created.Add(time.Millisecond) }),
		"want whole":       device(func(d *Device) { d.Created = time.Time{} }),
		"codes without an": func(r *Record) { r.Recovery.ID = ID{} },
		"without a key":    func(r *Record) { r.Recovery.Key = [32]byte{} },
		"0 recovery codes": func(r *Record) { r.Recovery.Hashes = nil },
		"phone number":     func(r *Record) { r.Phone = "020 7946 0958" },
		"confirmed":        func(r *Record) { r.Phone = "" },
		"good until":       device(func(d *Device) { d.Until = d.Until.Add(time.Millisecond) }),
		// In UTC this is before 1970: what is written must be what can be read.
		"1969": device(func(d *Device) { d.Created = time.Date(1970, 1, 1, 0, 30, 0, 0, time.FixedZone("", 3600)) }),
	} {
		r := example()
		change(r)
		if err := r.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want something about %q", err, want)
		}
		if b, err := encode(r); err == nil || b != nil {
			t.Errorf("%s: it was written", want)
		}
	}
}

func FuzzDecodeRecord(f *testing.F) {
	for _, v := range vectors(f, "content", contentVectors) {
		if lines := bytes.SplitAfter(v.body, []byte("\n")); len(lines) > 2 {
			f.Add(lines[1], bytes.HasPrefix(v.body, []byte(magic+version1)))
		}
	}
	f.Fuzz(func(t *testing.T, line []byte, old bool) {
		version := version2
		if old {
			version = version1
		}
		r, err := decodeRecord(line, version)
		if known := takenByLibrary(t, line, version); !reflect.DeepEqual(r, known) {
			t.Errorf("%+v, by the library %+v", r, known)
		}
		if err != nil {
			want(t, r, err, ErrCorrupt)
			return
		}
		if again := appendRecord(nil, r, version); !bytes.Equal(again, line) || r.Check() != nil {
			t.Errorf("comes out again as %q", again)
		}
	})
}

func FuzzDecode(f *testing.F) {
	for _, v := range vectors(f, "content", contentVectors) {
		f.Add(v.body)
	}
	key := exampleHostKey(f)
	f.Fuzz(func(t *testing.T, content []byte) {
		r, err := decode(content, exampleChecks(t))
		if err != nil {
			if r != nil {
				t.Errorf("%v together with %v", r, err)
			}
			return
		}
		again, err := encodeWith(r, key.macKey)
		must(t, err)
		if back, err := decode(again, exampleChecks(t)); err != nil || !reflect.DeepEqual(back, r) {
			t.Errorf("comes out again as %q, %v", again, err)
		}
		if !bytes.HasPrefix(content, []byte(magic+version1)) && !bytes.Contains(content, []byte("\n"+sigPrefix)) && !bytes.Equal(again, content) {
			t.Errorf("comes out again as %q", again)
		}
	})
}

// What Check accepts can be read back and is the same then.
func FuzzEncode(f *testing.F) {
	f.Add("alice", "phone", "Example Ltd", "alice@web1", "+442079460958", []byte("12345678901234567890"), 6, 30, uint64(0), uint64(1), int64(1767323045), int64(0), true)
	f.Add("ü<>&", "\U0001f511", `"\`, "", "", []byte("1234567890"), 12, 0, uint64(1<<53-1), uint64(1<<53-1), int64(253402300799), int64(253402300799), false)
	f.Fuzz(func(t *testing.T, user, name, issuer, label, phone string, secret []byte, digits, period int, counter, serial uint64, created, until int64, totp bool) {
		r := example()
		r.User, r.Serial, r.Phone, r.PhoneConfirmed = user, serial, phone, totp && phone != ""
		d := Device{ID{1}, name, "hotp", secret, digits, period, "SHA512", counter, issuer, label, time.Unix(created, 0).UTC(), time.Time{}, ""}
		if until != 0 {
			d.Until = time.Unix(until, 0).UTC()
		}
		if totp {
			d.Method = "totp"
		}
		r.Devices = append(r.Devices, d)
		if r.Check() != nil {
			return
		}
		line := appendRecord(nil, r, version2)
		if known := byLibrary(t, r, version2); !bytes.Equal(line, known) {
			t.Errorf("%q, by the library %q", line, known)
		}
		back, err := decodeRecord(line, version2)
		if err != nil || !reflect.DeepEqual(back, r) {
			t.Errorf("%q is read back as %v, %v", line, back, err)
		}
	})
}

func TestMustGiveAFileAHigherSerialThanAnyOlderOne(t *testing.T) {
	now := time.UnixMilli(1767323045000)
	for _, test := range []struct {
		what     string
		previous uint64
		now      time.Time
		want     uint64
	}{
		{"the first file", 0, now, 1767323045000},
		{"the next one", 1767000000000, now, 1767323045000},
		{"another in the same millisecond", 1767323045000, now, 1767323045001},
		{"the clock was set back", 1767323045999, now, 1767323046000},
		{"a clock that stands at 0", 0, time.Unix(0, 0), 1},
		{"a clock before 1970", 5, time.Unix(-1000, 0), 6},
	} {
		if got := NextSerial(test.previous, test.now); got != test.want {
			t.Errorf("%s: %d, want %d", test.what, got, test.want)
		}
	}
}

func TestMustNotShowASecretWhenAValueIsPrinted(t *testing.T) {
	r, key := example(), exampleHostKey(t)
	var secrets []string
	for _, secret := range [][]byte{r.Devices[0].Secret, r.Recovery.Key[:], r.Recovery.Hashes[0][:], key.macKey, []byte(exampleKey)} {
		secret = secret[len(secret)/2-4 : len(secret)/2+4] // a part is too much
		for _, form := range []string{"%s", "%x", "%X", "%v", "%q", "% x", "%#v"} {
			text := fmt.Sprintf(form, secret)
			secrets = append(secrets, strings.Trim(text, `[]"`))
		}
	}
	for _, value := range []any{r, *r, r.Devices, r.Devices[0], &r.Devices[0], r.Recovery, *r.Recovery, key, *key, struct{ R *Record }{r}} {
		for _, form := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
			text := fmt.Sprintf(form, value)
			for _, secret := range secrets {
				if strings.Contains(text, secret) {
					t.Errorf("%s of %T shows %q", form, value, secret)
				}
			}
		}
	}
}
