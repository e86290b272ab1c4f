package state

import (
	"bytes"
	"encoding/hex"
	"errors"
	"go/parser"
	"go/token"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"twokey/internal/proc"
	"twokey/internal/slotfile"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// example is the state that the package comment describes, made by the calls of a login.
func example() *State {
	s := &State{
		User: "alice", UID: 1000, Serial: 1,
		Devices: []Device{{
			ID: ID{0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8}, Name: "phone", Method: "totp",
			Consumed: 59842080, Created: noon.Add(-24 * time.Hour), Used: noon, From: "192.0.2.7",
			Until: time.Date(2027, 6, 30, 0, 0, 0, 0, time.UTC),
		}},
		Recovery: Recovery{ID: ID{0xb1, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8}, Total: 10, Used: 1},
	}
	login := Attempt{Source: "192.0.2.7", Connection: ID{1}, Cost: One, Now: noon}
	s.Charge(login)
	s.Succeeded(login)
	s.Charge(Attempt{"198.51.100.9", ID{0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8}, One, noon.Add(2 * time.Minute)})
	s.Remember(RememberKey("192.0.2.7", "sshd", "", []string{"totp", "recovery"}), noon)
	s.AddNotice(s.Devices[0].ID, "root (carol)")
	s.AddSuccess(Success{Process: proc.ID{PID: 1001, Start: 5001}, Parent: proc.ID{PID: 1000, Start: 5000}, Service: "sshd", Method: "totp",
		Device: "phone", Source: "192.0.2.7", Time: noon}, noon)
	return s
}

// exampleBytes reads the hexadecimal of the example from the package comment itself: in each line of it, what stands before the
// first two spaces that follow a digit.
func exampleBytes(t *testing.T) []byte {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "state.go", nil, parser.ParseComments|parser.PackageClauseOnly)
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(file.Doc.Text(), "# Example\n")
	if !found {
		t.Fatal("the package comment has no example")
	}
	var digits strings.Builder
	for _, line := range strings.Split(text, "\n") {
		if !strings.HasPrefix(line, "\t") {
			continue
		}
		for _, field := range strings.Split(strings.TrimSpace(line), "  ") {
			field = strings.ReplaceAll(strings.TrimSpace(field), " ", "")
			if _, err := hex.DecodeString(field); err != nil {
				break
			}
			digits.WriteString(field)
		}
	}
	b, err := hex.DecodeString(digits.String())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTheExampleOfThePackageCommentIsWhatEncodeWrites(t *testing.T) {
	want := exampleBytes(t)
	got, err := example().Encode()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("encoded\n%x\nthe comment says\n%x", got, want)
	}
	back, err := Decode(want)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back, example()) {
		t.Errorf("decoded\n%+v\nwant\n%+v", back, example())
	}
}

// full is a state with every limit reached and every text as long as it can be.
func full() *State {
	name, method := strings.Repeat("n", maxName), strings.Repeat("m", maxMethod)
	s := &State{
		User: strings.Repeat("u", maxUser), UID: math.MaxUint32, Serial: math.MaxUint64, MustEnroll: true, Restored: true,
		Recovery:  Recovery{ID{0xff}, maxRecovery, math.MaxUint32, true},
		strangers: bucket{burst, maxStamp}, known: bucket{knownBurst, maxStamp}, strangerPair: turn{maxStamp, maxPrice},
	}
	for i := range MaxDevices {
		s.Devices = append(s.Devices, Device{ID{byte(i)}, name, method, math.MaxUint64, noon, noon, name, noon})
	}
	for i := range MaxRemoved {
		s.Removed = append(s.Removed, ID{0xee, byte(i)})
	}
	for i := range MaxSources {
		s.sources = append(s.sources, source{name[1:] + string(rune('a'+i)), bucket{burst, maxStamp}, maxStamp, turn{maxStamp, maxPrice}})
	}
	for i := range maxCharges {
		s.charges = append(s.charges, charge{ID{0xcc, byte(i)}, true, burst, maxStamp})
	}
	for range maxSuccesses {
		process := proc.ID{PID: math.MaxInt32, Start: math.MaxUint64}
		s.successes = append(s.successes, waiting{Success{process, process, "", method, name, name, noon}, serviceHash(name)})
	}
	for i := range maxRemember {
		s.remembered = append(s.remembered, remembered{[16]byte{byte(i)}, maxStamp})
	}
	for i := range maxNotices {
		s.notices = append(s.notices, notice{Notice{ID{byte(i)}, strings.Repeat("b", maxBy)}, maxShown - 1})
	}
	return s
}

func TestTheFullestStateFitsIntoItsSlotWithRoomForLaterSections(t *testing.T) {
	b, err := full().Encode()
	if err != nil {
		t.Fatal(err)
	}
	if left := slotfile.MaxValue - len(b); left < maxLater {
		t.Errorf("the fullest state has %d bytes and leaves %d of %d, want at least %d", len(b), left, slotfile.MaxValue, maxLater)
	}
	back, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back, full()) {
		t.Errorf("the fullest state came back as\n%+v", back)
	}
}

func TestEncodeRefusesWhatTheAdministratorMayNotChoose(t *testing.T) {
	for sentence, change := range map[string]func(*State){
		"a user without a name":                 func(s *State) { s.User = "" },
		"a user's name of 257 bytes":            func(s *State) { s.User = strings.Repeat("u", maxUser+1) },
		"a name as long as a section's counter": func(s *State) { s.User = strings.Repeat("u", 1<<16+5) },
		"eleven devices":                        func(s *State) { s.Devices = make([]Device, MaxDevices+1) },
		"seventeen removed devices":             func(s *State) { s.Removed = make([]ID, MaxRemoved+1) },
		"thirty-three recovery codes":           func(s *State) { s.Recovery.Total = maxRecovery + 1 },
		"more recovery codes than a byte holds": func(s *State) { s.Recovery.Total = 256 + 5 },
		"fewer recovery codes than none":        func(s *State) { s.Recovery.Total = -1 },
	} {
		s := example()
		change(s)
		if b, err := s.Encode(); !errors.Is(err, ErrFormat) || b != nil {
			t.Errorf("%s: got %d bytes and %v, want ErrFormat", sentence, len(b), err)
		}
	}
}

// A length that is written modulo 2^16 would let a name that is long enough bring sections of its own.
func TestAUsersNameCannotBringSections(t *testing.T) {
	s := example()
	s.User = "alice"
	value, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	name := join([]byte("alice"), head()[len(exUser):]) // as if no device was removed, and nothing used up
	name = join(name, section(tagLater, make([]byte, 1<<16+len("alice")-len(name)-6)))
	rest := len(value) - len(exUser) // which a last section of the name takes in
	s.User = string(join(name, []byte{tagLater, byte(rest >> 8), byte(rest)}))
	if b, err := s.Encode(); !errors.Is(err, ErrFormat) || b != nil {
		t.Errorf("a name of %d bytes was written (%v)", len(s.User), err)
	}
}

// The sections of the example, to build bad values of.
var (
	exUser     = []byte("\x01\x00\x05alice")
	exUID      = []byte("\x02\x00\x04\x00\x00\x03\xe8")
	exSerial   = []byte("\x03\x00\x08\x00\x00\x00\x00\x00\x00\x00\x01")
	exFlags    = []byte("\x04\x00\x01\x00")
	exDevice   = join([]byte("\x05\x00\x28ABCDEFGH\x05phone\x04totp"), make([]byte, 7), []byte{7}, make([]byte, 13))
	exRemoved  = []byte("\x06\x00\x00")
	exRecovery = append([]byte("\x07\x00\x0d"), make([]byte, 13)...)
	exBuckets  = append([]byte("\x08\x00\x1e"), make([]byte, 30)...)
	exSource   = append([]byte("\x09\x00\x1c\x01s"), make([]byte, 26)...)
	exCharge   = append([]byte("\x0a\x00\x13"), make([]byte, 19)...)
	exNamed    = append([]byte("\x0b\x00\x22"), make([]byte, 34)...)
	exSuccess  = append([]byte("\x0e\x00\x29"), make([]byte, 41)...)
	exUntil    = []byte("\x0f\x00\x06\x01\xa1\xfd\xfa\x46\x00")
	exRemember = append([]byte("\x0c\x00\x16"), make([]byte, 22)...)
	exNotice   = []byte("\x0d\x00\x10ABCDEFGH\x06carol!\x01")
	exLater    = []byte("\x80\x00\x03new")
)

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// head is everything before the sections that may be missing.
func head() []byte {
	return join(exUser, exUID, exSerial, exFlags, exRemoved, exRecovery, exBuckets)
}

// edited returns a copy with bytes of it replaced.
func edited(b []byte, at int, with ...byte) []byte {
	b = bytes.Clone(b)
	copy(b[at:], with)
	return b
}

// section makes a section of a tag and a content.
func section(tag byte, content []byte) []byte {
	var e encoder
	e.section(tag, content)
	return e.b
}

func withDevice(device []byte) []byte {
	return join(exUser, exUID, exSerial, exFlags, device, exRemoved, exRecovery, exBuckets)
}

func goodValues(t testing.TB) map[string][]byte {
	fullest, err := full().Encode()
	if err != nil {
		t.Fatal(err)
	}
	plain, err := example().Encode()
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{
		"the least":                             head(),
		"a device":                              withDevice(exDevice),
		"two devices":                           withDevice(join(exDevice, exDevice)),
		"a source":                              join(head(), exSource),
		"a charge without a source":             join(head(), exCharge),
		"a success without source and charge":   join(head(), exSuccess),
		"a remembered key alone":                join(head(), exRemember),
		"two notices without anything else":     join(head(), exNotice, exNotice),
		"all flags":                             join(exUser, exUID, exSerial, edited(exFlags, 3, 7), exRemoved, exRecovery, exBuckets),
		"one of each":                           join(withDevice(exDevice), exSource, exCharge, exRemember, exNotice, exSuccess, exUntil, exLater),
		"two devices, one of which expires":     join(withDevice(join(exDevice, exDevice)), section(tagUntil, join(make([]byte, 6), exUntil[3:]))),
		"a section of a newer version":          join(head(), exLater),
		"sections of newer versions, any order": join(head(), []byte("\xff\x00\x00"), exLater, exLater),
		"the example":                           plain,
		"the fullest":                           fullest,
		"the fullest with later sections":       join(fullest, section(0x80, make([]byte, maxLater-3))),
	}
}

func TestDecodeAcceptsAndEncodeGivesTheSameBytesBack(t *testing.T) {
	for sentence, b := range goodValues(t) {
		s, err := Decode(b)
		if err != nil {
			t.Errorf("%s: %v", sentence, err)
			continue
		}
		again, err := s.Encode()
		if err != nil || !bytes.Equal(again, b) {
			t.Errorf("%s: came back as %x (%v), want %x", sentence, again, err, b)
		}
	}
}

// ofBefore is a value with two successes in the form in which they were written before.
func ofBefore() []byte {
	named := func(pid byte, service string) []byte {
		content := join(edited(make([]byte, 24), 3, pid), []byte{byte(len(service))}, []byte(service), []byte("\x04totp\x05phone\x09192.0.2.7"), exUntil[3:])
		return section(tagNamedSuccess, content)
	}
	return join(withDevice(exDevice), named(7, "sshd"), named(8, "login"), exRemember, exNotice, exLater)
}

// A host that is brought up to date has logins whose sessions are not open yet.
func TestASuccessOfBeforeOpensItsSessionAndIsWrittenInTheNewForm(t *testing.T) {
	s, err := Decode(ofBefore())
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if s, err = Decode(b); err != nil || len(s.remembered) != 1 || len(s.notices) != 1 || !bytes.HasSuffix(b, exLater) {
		t.Fatalf("came back as %+v, %v", s, err)
	}
	for service, pid := range map[string]int32{"sshd": 7, "login": 8} {
		found, ok := s.TakeSuccess(proc.ID{PID: pid}, service)
		if !ok || found.Method != "totp" || found.Device != "phone" || found.Source != "192.0.2.7" || !found.Time.Equal(noon) || found.Service != service {
			t.Errorf("%s: %+v, %v", service, found, ok)
		}
	}
}

func badValues() map[string][]byte {
	device := func(at int, with ...byte) []byte { return withDevice(edited(exDevice, at, with...)) }
	longText := func(n int) []byte { return append([]byte{byte(n)}, bytes.Repeat([]byte("x"), n)...) }
	return map[string][]byte{
		"nothing at all":                         {},
		"one byte":                               {1},
		"a tag without a length":                 {1, 0},
		"a length that goes beyond the end":      []byte("\x01\x00\x06alice"),
		"a length that goes far beyond the end":  []byte("\x01\xff\xffalice"),
		"only a user":                            exUser,
		"it ends before the buckets":             join(exUser, exUID, exSerial, exFlags, exRemoved, exRecovery),
		"it begins with a later section":         exLater,
		"a later section instead of the buckets": join(exUser, exUID, exSerial, exFlags, exRemoved, exRecovery, exLater),
		"tag 0":                                  join([]byte{0, 0, 0}, head()),
		"tag 0 at the end":                       join(head(), []byte{0, 0, 0}),
		"the user is missing":                    join(exUID, exSerial, exFlags, exRemoved, exRecovery, exBuckets),
		"the uid is missing":                     join(exUser, exSerial, exFlags, exRemoved, exRecovery, exBuckets),
		"the serial is missing":                  join(exUser, exUID, exFlags, exRemoved, exRecovery, exBuckets),
		"the flags are missing":                  join(exUser, exUID, exSerial, exRemoved, exRecovery, exBuckets),
		"the removed are missing":                join(exUser, exUID, exSerial, exFlags, exRecovery, exBuckets),
		"the recovery codes are missing":         join(exUser, exUID, exSerial, exFlags, exRemoved, exBuckets),
		"the user twice":                         join(exUser, head()),
		"the buckets twice":                      join(head(), exBuckets),
		"uid and serial exchanged":               join(exUser, exSerial, exUID, exFlags, exRemoved, exRecovery, exBuckets),
		"a device after the removed":             join(exUser, exUID, exSerial, exFlags, exRemoved, exDevice, exRecovery, exBuckets),
		"a device at the end":                    join(head(), exDevice),
		"a source after a charge":                join(head(), exCharge, exSource),
		"a charge after a success":               join(head(), exSuccess, exCharge),
		"successes in both forms":                join(head(), exNamed, exSuccess),
		"a success whose hash is cut off":        join(head(), section(tagSuccess, make([]byte, 31))),
		"an end that is none":                    join(withDevice(exDevice), section(tagUntil, make([]byte, 6))),
		"an end without a device":                join(head(), exUntil),
		"no end of a device":                     join(withDevice(exDevice), section(tagUntil, nil)),
		"an end of one device of two":            join(withDevice(join(exDevice, exDevice)), exUntil),
		"ends in two sections":                   join(withDevice(exDevice), exUntil, exUntil),
		"a success behind an end":                join(withDevice(exDevice), exUntil, exSuccess),
		"anything after a later section":         join(head(), exLater, exSource),
		"an unknown tag below 0x80":              join(head(), section(0x0e, []byte("x"))),
		"the last unknown tag below 0x80":        join(head(), section(0x7f, nil)),
		"rubbish after the last section":         join(head(), []byte{0x81}),
		"a later section that is cut off":        join(head(), []byte("\x80\x00\x03ne")),
		"an empty user":                          join([]byte("\x01\x00\x00"), head()[len(exUser):]),
		"a user of 257 bytes":                    join(section(tagUser, make([]byte, maxUser+1)), head()[len(exUser):]),
		"a uid of 3 bytes":                       join(exUser, []byte("\x02\x00\x03\x00\x03\xe8"), head()[len(exUser)+len(exUID):]),
		"a uid of 5 bytes":                       join(exUser, []byte("\x02\x00\x05\x00\x00\x00\x03\xe8"), head()[len(exUser)+len(exUID):]),
		"a flag that nobody knows":               join(exUser, exUID, exSerial, edited(exFlags, 3, 8), exRemoved, exRecovery, exBuckets),
		"a removed id of 7 bytes":                join(exUser, exUID, exSerial, exFlags, section(tagRemoved, make([]byte, 7)), exRecovery, exBuckets),
		"seventeen removed ids":                  join(exUser, exUID, exSerial, exFlags, section(tagRemoved, make([]byte, 17*8)), exRecovery, exBuckets),
		"eleven devices":                         withDevice(bytes.Repeat(exDevice, MaxDevices+1)),
		"a device's name beyond the section":     device(11, 0x20),
		"a device's name that is not UTF-8":      device(12, 0xff),
		"a device's method that is not UTF-8":    device(18, 0xff),
		"a device with a byte too many":          withDevice(section(tagDevice, join(exDevice[3:], []byte{0}))),
		"a device's name of 33 bytes":            withDevice(section(tagDevice, join(exDevice[3:11], longText(33), exDevice[17:]))),
		"a device's method of 13 bytes":          withDevice(section(tagDevice, join(exDevice[3:17], longText(13), exDevice[22:]))),
		"thirty-three recovery codes":            join(exUser, exUID, exSerial, exFlags, exRemoved, edited(exRecovery, 11, 33), exBuckets),
		"buckets that are cut off":               join(head()[:len(head())-len(exBuckets)], section(tagBuckets, make([]byte, 29))),
		"seventeen sources":                      join(head(), bytes.Repeat(exSource, MaxSources+1)),
		"a source's name of 33 bytes":            join(head(), section(tagSource, join(longText(33), make([]byte, 26)))),
		"a source's name that is not UTF-8":      join(head(), edited(exSource, 4, 0xc3)),
		"nine charges":                           join(head(), bytes.Repeat(exCharge, maxCharges+1)),
		"a charge that is neither known nor not": join(head(), edited(exCharge, 11, 2)),
		"seven successes":                        join(head(), bytes.Repeat(exSuccess, maxSuccesses+1)),
		"a success whose service is not UTF-8":   join(head(), section(tagNamedSuccess, join(make([]byte, 24), []byte("\x01\xff"), make([]byte, 9)))),
		"remembered keys in two sections":        join(head(), exRemember, exRemember),
		"no remembered key":                      join(head(), section(tagRemembered, nil)),
		"a remembered key that is cut off":       join(head(), section(tagRemembered, make([]byte, 21))),
		"nine remembered keys":                   join(head(), section(tagRemembered, make([]byte, 9*22))),
		"a remembered key behind a success":      join(head(), exSuccess, exRemember),
		"a notice before a remembered key":       join(head(), exNotice, exRemember),
		"four notices":                           join(head(), bytes.Repeat(exNotice, maxNotices+1)),
		"a notice of who has 33 bytes":           join(head(), section(tagNotice, join(make([]byte, 8), longText(33), []byte{0}))),
		"a notice that was shown three times":    join(head(), edited(exNotice, len(exNotice)-1, maxShown)),
		"a notice of who is not UTF-8":           join(head(), edited(exNotice, 12, 0xff)),
		"a notice that is cut off":               join(head(), section(tagNotice, make([]byte, 8))),
		"a success of a service of 33 bytes":     join(head(), section(tagNamedSuccess, join(make([]byte, 24), longText(33), make([]byte, 9)))),
		"a success of a device of 33 bytes":      join(head(), section(tagSuccess, join(make([]byte, 33), longText(33), make([]byte, 7)))),
		"seven successes of before":              join(head(), bytes.Repeat(exNamed, maxSuccesses+1)),
	}
}

func TestDecodeRefuses(t *testing.T) {
	for sentence, b := range badValues() {
		if s, err := Decode(b); !errors.Is(err, ErrFormat) || s != nil {
			t.Errorf("%s: got %+v and %v, want ErrFormat", sentence, s, err)
		}
	}
}

func TestDecodeRefusesEveryTruncation(t *testing.T) {
	whole, err := full().Encode()
	if err != nil {
		t.Fatal(err)
	}
	// A value that ends between two of the sections that may be missing is another value; its slot's checksum knows.
	for n := range whole {
		s, err := Decode(whole[:n])
		if err != nil {
			continue
		}
		if again, err := s.Encode(); err != nil || !bytes.Equal(again, whole[:n]) || whole[n] < tagSource {
			t.Fatalf("cut to %d of %d bytes: accepted", n, len(whole))
		}
	}
}

func TestSectionsOfANewerVersionAreCarriedThrough(t *testing.T) {
	newer := join(head(), exLater, []byte("\x90\x00\x02\x00\x01"))
	s, err := Decode(newer)
	if err != nil {
		t.Fatal(err)
	}
	login := Attempt{"192.0.2.7", ID{1}, One, noon}
	s.Charge(login)
	s.Succeeded(login)
	s.AddSuccess(Success{Service: "sshd"}, noon)
	b, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasSuffix(b, newer[len(head()):]) {
		t.Errorf("after a login the later sections are gone:\n%x", b)
	}
	if _, err := Decode(b); err != nil {
		t.Error(err)
	}
}

// seedCount is how many values the fuzzer starts from: a loop that finds none would go unnoticed.
const seedCount = 91

func seeds(t testing.TB) [][]byte {
	all := slices.Collect(maps.Values(goodValues(t)))
	all = append(all, ofBefore())
	return slices.AppendSeq(all, maps.Values(badValues()))
}

func TestTheFuzzerHasItsSeeds(t *testing.T) {
	if n := len(seeds(t)); n != seedCount {
		t.Errorf("%d seeds, want %d", n, seedCount)
	}
}

func FuzzDecode(f *testing.F) {
	for _, b := range seeds(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Decode(b)
		if err != nil {
			if s != nil || !errors.Is(err, ErrFormat) {
				t.Fatalf("got %+v with %v", s, err)
			}
			return
		}
		again, err := s.Encode()
		if len(s.successes) > 0 && err == nil && !bytes.Equal(again, b) { // in the form of before, perhaps: then it is another one only once
			b = again
			if s, err = Decode(b); err == nil {
				again, err = s.Encode()
			}
		}
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("accepted\n%x\nand gave back\n%x (%v)", b, again, err)
		}
	})
}
