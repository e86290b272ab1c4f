package device

import (
	"errors"
	"slices"
	"testing"
	"time"

	"twokey/factor"
	"twokey/secrets"
	"twokey/state"
)

var noon = time.Date(2026, 11, 21, 12, 0, 10, 0, time.UTC)

const home = "192.0.2.7"

var recoveryCodes = []string{"aaaa-bbbb-cccc", "dddd-eeee-ffff", "gggg-hhhh-jjjj"}

// phone is a device of time, token one of a counter; the number makes secret and id.
func phone(number byte) secrets.Device {
	return secrets.Device{ID: secrets.ID{number}, Name: "phone" + string('0'+number), Method: "totp", Secret: secretOf(number), Digits: 6, Period: 30,
		Algorithm: "SHA1", Created: noon.Add(-time.Hour)}
}

func token(number byte) secrets.Device {
	d := phone(number)
	d.Name, d.Method, d.Period = "token"+string('0'+number), "hotp", 0
	return d
}

func secretOf(number byte) []byte { return append([]byte("a secret of 20 byte"), number) }

// recovery is a set of recovery codes whose id and key the number makes.
func recovery(number byte) *secrets.Recovery {
	set := &secrets.Recovery{ID: secrets.ID{100, number}, Key: [32]byte{number}}
	for _, code := range recoveryCodes {
		hash, err := factor.HashRecovery(set.Key, code)
		if err != nil {
			panic(err)
		}
		set.Hashes = append(set.Hashes, hash)
	}
	return set
}

func record(serial uint64, set *secrets.Recovery, devices ...secrets.Device) *secrets.Record {
	return &secrets.Record{User: "alice", Serial: serial, Devices: devices, Recovery: set}
}

func fresh() *state.State { return &state.State{User: "alice", UID: 1000} }

func join(t testing.TB, st *state.State, r *secrets.Record) *Set {
	t.Helper()
	set, err := Join(st, r, 1, noon)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// shows is the code of a device so many steps or counters from its first: at noon, or of counter 0.
func shows(t testing.TB, d secrets.Device, offset uint64) string {
	t.Helper()
	p := Params(d)
	if p.Method == factor.TOTP {
		offset += p.Step(noon)
	}
	text, err := p.Code(offset)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// try is an answer at noon, however it is meant.
func try(set *Set, typed string) (Used, error) {
	answer := factor.ParseAnswer(typed)
	if answer.Kind == factor.Recovery {
		return set.RecoveryCode(answer)
	}
	if one, two := set.Fits(answer); two && !one {
		return set.Pair(answer, noon, home)
	}
	return set.Code(answer, noon, home)
}

func want(t testing.TB, why string, err, wanted error) {
	t.Helper()
	if !errors.Is(err, wanted) || (err == nil) != (wanted == nil) {
		t.Errorf("%s: %v, want %v", why, err, wanted)
	}
}

func TestJoinLearnsANewFile(t *testing.T) {
	st := fresh()
	st.MustEnroll = true
	set := join(t, st, record(7, recovery(1), phone(1), token(2)))
	if st.Serial != 7 || st.MustEnroll || len(st.Devices) != 2 || st.Recovery.Total != 3 || st.Recovery.Used != 0 {
		t.Errorf("%+v", st)
	}
	for typed, device := range map[string]string{shows(t, phone(1), 0): "phone1", shows(t, token(2), 0): "token2", recoveryCodes[1]: ""} {
		used, err := try(set, typed)
		want(t, device, err, nil)
		if used.Device != device {
			t.Errorf("used %+v, want %q", used, device)
		}
	}
	if d := st.Devices[0]; d.Method != "totp" || !d.Created.Equal(noon.Add(-time.Hour)) || !d.Used.Equal(noon) || d.From != home {
		t.Errorf("%+v", d)
	}
}

func TestJoinRefusesAnOlderFileAndLeavesTheStateAlone(t *testing.T) {
	st := fresh()
	join(t, st, record(7, recovery(1), phone(1)))
	before := encoded(t, st)
	set, err := Join(st, record(6, recovery(2), phone(2)), 1, noon)
	want(t, "an older file", err, ErrRolledBack)
	if set != nil || encoded(t, st) != before {
		t.Errorf("a set %v, state %+v", set, st)
	}
}

func encoded(t testing.TB, st *state.State) string {
	t.Helper()
	b, err := st.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A newer file of a provisioner may bring back what an older one had: the old phone must not come back with its id.
func TestADeviceThatWasRemovedStaysRemoved(t *testing.T) {
	st := fresh()
	join(t, st, record(1, nil, phone(1), phone(2)))
	join(t, st, record(2, nil, phone(2)))
	set := join(t, st, record(3, nil, phone(1), phone(2)))
	if len(st.Devices) != 1 || !st.WasRemoved(state.ID{1}) {
		t.Errorf("%+v", st)
	}
	_, err := try(set, shows(t, phone(1), 0))
	want(t, "the removed device", err, ErrWrong)
	_, err = try(set, shows(t, phone(2), 0))
	want(t, "the other", err, nil)
}

// The file that the state has seen last brings nothing new: what the state does not know of it was taken away since. Attack, or
// accident: a backup puts the file back after a reset, and with it the recovery codes that were used.
func TestAFileThatIsNotNewerBringsNothingBack(t *testing.T) {
	st := fresh()
	r := record(5, recovery(1), phone(1), token(2))
	if _, err := try(join(t, st, r), recoveryCodes[0]); err != nil {
		t.Fatal(err)
	}
	st.RemoveDevice(state.ID{1})
	st.RemoveDevice(state.ID{2})
	st.Recovery, st.MustEnroll = state.Recovery{}, true // as after a reset
	set := join(t, st, r)
	if !st.MustEnroll || len(st.Devices) != 0 || st.Recovery.Total != 0 {
		t.Errorf("%+v", st)
	}
	for _, typed := range []string{shows(t, phone(1), 0), shows(t, token(2), 0), shows(t, token(2), 0) + shows(t, token(2), 1), recoveryCodes[0], recoveryCodes[1]} {
		_, err := try(set, typed)
		want(t, typed, err, ErrEnded)
	}
	want(t, "the reason", set.Refusal(), ErrEnded)
	_, err := try(set, "zzzz-zzzz-zzzz")
	want(t, "a recovery code that is none", err, ErrWrong)
}

func TestANewerFileKeepsWhatIsUsedUp(t *testing.T) {
	st := fresh()
	set := join(t, st, record(1, recovery(1), phone(1), token(2)))
	typed := []string{shows(t, phone(1), 0), shows(t, token(2), 3), recoveryCodes[0]}
	for _, code := range typed {
		_, err := try(set, code)
		want(t, "the first time", err, nil)
	}
	renamed := phone(1)
	renamed.Name = "new name"
	set = join(t, st, record(2, recovery(1), token(2), renamed, phone(3)))
	for _, code := range typed {
		_, err := try(set, code)
		want(t, "after a newer file", err, ErrReplayed)
	}
	used, err := try(set, shows(t, phone(1), 1))
	want(t, "the next code", err, nil)
	if used.Device != "new name" || st.Device(state.ID{1}).Name != "new name" {
		t.Errorf("used %+v", used)
	}
}

// A newer file may say that a counter has gone on; it never goes back.
func TestANewerFileMovesACounterForwardOnly(t *testing.T) {
	st := fresh()
	at := func(counter uint64) secrets.Device {
		d := token(2)
		d.Counter = counter
		return d
	}
	for _, c := range []struct{ inFile, next uint64 }{{10, 10}, {20, 20}, {5, 20}, {0, 20}} {
		set := join(t, st, record(st.Serial+1, nil, at(c.inFile)))
		if got := st.Devices[0].Consumed; got != c.next {
			t.Errorf("counter %d in the file: the next is %d, want %d", c.inFile, got, c.next)
		}
		if c.next > 0 {
			_, err := try(set, shows(t, token(2), c.next-1))
			want(t, "the code before the counter", err, ErrReplayed)
		}
	}
}

func TestANewSetOfRecoveryCodesEndsTheOld(t *testing.T) {
	st := fresh()
	old := join(t, st, record(1, recovery(1), phone(1)))
	if _, err := try(old, recoveryCodes[0]); err != nil {
		t.Fatal(err)
	}
	set := join(t, st, record(2, recovery(2), phone(1)))
	used, err := try(set, recoveryCodes[0]) // the same text under another key
	want(t, "a code of the new set", err, nil)
	if used.Left != 2 || used.Method != "recovery" || used.Device != "" {
		t.Errorf("%+v", used)
	}
	_, err = try(set, recoveryCodes[0])
	want(t, "the same again", err, ErrReplayed)
	set = join(t, st, record(3, nil, phone(1)))
	_, err = try(set, recoveryCodes[1])
	want(t, "no set", err, ErrWrong)
	if st.Recovery != (state.Recovery{}) {
		t.Errorf("%+v", st.Recovery)
	}
}

func TestRestoreClosesWhatIsCountedAndOpensThePresentStep(t *testing.T) {
	r := record(9, recovery(1), phone(1), token(2))
	st := Restore(r, 1000, noon)
	if st.UID != 1000 || st.User != "alice" || st.Serial != 9 || !st.Restored {
		t.Errorf("%+v", st)
	}
	set := join(t, st, r)
	for typed, reason := range map[string]error{
		shows(t, token(2), 0): ErrWrong, shows(t, token(2), 0) + shows(t, token(2), 1): ErrWrong, recoveryCodes[0]: ErrRestored,
		shows(t, phone(1), ^uint64(0)): ErrReplayed, // one step before
	} {
		_, err := try(set, typed)
		want(t, typed, err, reason)
	}
	_, err := try(set, shows(t, phone(1), 0))
	want(t, "the present code", err, nil)
	_, err = try(set, shows(t, phone(1), 0))
	want(t, "the present code again", err, ErrReplayed)

	st.Restored = false // adopted
	set = join(t, st, r)
	for _, typed := range []string{shows(t, token(2), 0), recoveryCodes[0]} {
		_, err := try(set, typed)
		want(t, "after adopt", err, nil)
	}
}

// Somebody with a hardware token only must be able to read in the log why he is refused.
func TestTheReasonOfAClosedTokenIsTheLostState(t *testing.T) {
	r := record(9, nil, token(2))
	set := join(t, Restore(r, 1000, noon), r)
	_, err := try(set, shows(t, token(2), 0))
	want(t, "a right code", err, ErrRestored)
	want(t, "the reason", set.Refusal(), ErrRestored)
}

func TestARestoredDeviceIsGoodAlsoBefore1970AndAtItsBeginning(t *testing.T) {
	for _, now := range []time.Time{{}, time.Unix(0, 0), time.Unix(29, 0), time.Unix(30, 0)} {
		if st := Restore(record(1, nil, phone(1)), 1, now); st.Devices[0].Consumed != 0 {
			t.Errorf("at %v: consumed %d", now, st.Devices[0].Consumed)
		}
	}
}

// One secret on two devices: one code is one login.
func TestACodeIsUsedUpOnEveryDeviceThatItFits(t *testing.T) {
	twin := phone(2)
	twin.Secret = secretOf(1)
	st := fresh()
	set := join(t, st, record(1, nil, phone(1), twin))
	used, err := try(set, shows(t, phone(1), 0))
	want(t, "once", err, nil)
	if used.Device != "phone1" || st.Devices[0].Consumed != st.Devices[1].Consumed {
		t.Errorf("%+v, %+v", used, st.Devices)
	}
	_, err = try(set, shows(t, twin, 0))
	want(t, "twice", err, ErrReplayed)
}

// A code that one device has used and another has not is right: it is the other's.
func TestACodeThatIsUsedOnOneDeviceAndFreshOnAnotherIsRight(t *testing.T) {
	twin := phone(2)
	twin.Secret = secretOf(1)
	st := fresh()
	set := join(t, st, record(1, nil, phone(1), twin))
	st.Devices[0].Consumed = Params(phone(1)).Step(noon)
	used, err := try(set, shows(t, phone(1), 0))
	want(t, "fresh on the second", err, nil)
	if used.Device != "phone2" {
		t.Errorf("%+v", used)
	}
}

func TestCountersGoForwardAndAreFoundAgain(t *testing.T) {
	st := fresh()
	set := join(t, st, record(1, nil, token(2)))
	next := func() uint64 { return st.Devices[0].Consumed }
	for _, c := range []struct {
		why   string
		typed string
		err   error
		next  uint64
	}{
		{"the first", shows(t, token(2), 0), nil, 1},
		{"again", shows(t, token(2), 0), ErrReplayed, 1},
		{"a few presses further", shows(t, token(2), 1+LookAhead), nil, 2 + LookAhead},
		{"one that was passed over", shows(t, token(2), 3), ErrReplayed, 2 + LookAhead},
		{"too far for one code", shows(t, token(2), 50), ErrWrong, 2 + LookAhead},
		{"and for two that are not in a row", shows(t, token(2), 50) + shows(t, token(2), 52), ErrWrong, 2 + LookAhead},
		{"or in the wrong order", shows(t, token(2), 51) + shows(t, token(2), 50), ErrWrong, 2 + LookAhead},
		{"not for two in a row", shows(t, token(2), 50) + shows(t, token(2), 51), nil, 52},
		{"the same two again", shows(t, token(2), 50) + shows(t, token(2), 51), ErrReplayed, 52},
		{"the second of them and the next", shows(t, token(2), 51) + shows(t, token(2), 52), ErrReplayed, 52},
		{"the last pair of the window", shows(t, token(2), 52+Resync-1) + shows(t, token(2), 52+Resync), nil, 53 + Resync},
		{"one behind the window", shows(t, token(2), 53+2*Resync) + shows(t, token(2), 54+2*Resync), ErrWrong, 53 + Resync},
	} {
		_, err := try(set, c.typed)
		want(t, c.why, err, c.err)
		if next() != c.next {
			t.Errorf("%s: the next counter is %d, want %d", c.why, next(), c.next)
		}
	}
}

func TestPairsOfTimeStepsAreBothUsedUp(t *testing.T) {
	st := fresh()
	set := join(t, st, record(1, nil, phone(1)))
	for _, c := range []struct {
		why   string
		typed string
		err   error
	}{
		{"the present and the next", shows(t, phone(1), 0) + shows(t, phone(1), 1), nil},
		{"the same two", shows(t, phone(1), 0) + shows(t, phone(1), 1), ErrReplayed},
		{"the second alone", shows(t, phone(1), 1), ErrReplayed},
		{"the second with the third", shows(t, phone(1), 1) + shows(t, phone(1), 2), ErrReplayed},
		{"two of different devices", shows(t, phone(1), 1) + shows(t, phone(2), 2), ErrWrong},
	} {
		_, err := try(set, c.typed)
		want(t, c.why, err, c.err)
	}
}

func TestFitsAndCost(t *testing.T) {
	long, seven := phone(3), phone(4)
	long.Digits, seven.Digits = 12, 7
	for _, c := range []struct {
		devices  []secrets.Device
		typed    string
		one, two bool
	}{
		{nil, "123456", false, false},
		{[]secrets.Device{phone(1)}, "123456", true, false},
		{[]secrets.Device{phone(1)}, "123456 123456", false, true},
		{[]secrets.Device{phone(1)}, "1234567", false, false},
		{[]secrets.Device{phone(1), long}, "123456 123456", true, true},
		{[]secrets.Device{phone(1)}, "aaaaaa", false, false},
		{[]secrets.Device{seven}, recoveryCodes[0], false, false}, // as long as two codes with its hyphens
		{[]secrets.Device{phone(1)}, "", false, false},
	} {
		set := join(t, fresh(), record(1, nil, c.devices...))
		if one, two := set.Fits(factor.ParseAnswer(c.typed)); one != c.one || two != c.two {
			t.Errorf("%d devices, %q: %v, %v", len(c.devices), c.typed, one, two)
		}
	}
	for _, c := range []struct {
		devices  []secrets.Device
		one, two int64
	}{
		{nil, 1000, 1000}, {[]secrets.Device{phone(1)}, 1000, 1000}, {[]secrets.Device{phone(1), phone(2)}, 2000, 2000},
		{[]secrets.Device{token(1)}, 2000, 33667}, {[]secrets.Device{phone(1), long}, 1001, 1001},
	} {
		set := join(t, fresh(), record(1, nil, c.devices...))
		if one, two := set.Cost(); one != c.one || two != c.two {
			t.Errorf("%d devices: cost %d and %d, want %d and %d", len(c.devices), one, two, c.one, c.two)
		}
	}
}

// Closed devices are not paid for: they cannot be guessed.
func TestAClosedDeviceCostsNothing(t *testing.T) {
	r := record(9, nil, phone(1), token(2))
	one, two := join(t, Restore(r, 1000, noon), r).Cost()
	if one != 1000 || two != 1000 {
		t.Errorf("cost %d and %d", one, two)
	}
}

func TestWhatIsNoCodeIsWrongAndChangesNothing(t *testing.T) {
	st := fresh()
	set := join(t, st, record(1, recovery(1), phone(1), token(2)))
	before := encoded(t, st)
	for _, typed := range []string{"", " ", "rubbish, this", "000000", "0000000000000", "zzzz-zzzz-zzzz", "１２３４５６"} {
		answer := factor.ParseAnswer(typed)
		for name, look := range map[string]func() (Used, error){
			"code":     func() (Used, error) { return set.Code(answer, noon, home) },
			"pair":     func() (Used, error) { return set.Pair(answer, noon, home) },
			"recovery": func() (Used, error) { return set.RecoveryCode(answer) },
		} {
			used, err := look()
			want(t, name+" "+typed, err, ErrWrong)
			if used != (Used{}) || encoded(t, st) != before {
				t.Errorf("%s %q: %+v", name, typed, used)
			}
		}
	}
}

// A full record and a full list of removed devices still make a state that can be written.
func TestAFullRecordFitsIntoTheState(t *testing.T) {
	st := fresh()
	for serial := range uint64(5) {
		var all []secrets.Device
		for i := range byte(secrets.MaxDevices) {
			d := phone(i + 1)
			d.ID[1], d.Name = byte(serial), "a name of thirty-two bytes: "+string('a'+rune(i))
			all = append(all, d)
		}
		join(t, st, record(serial+1, recovery(byte(serial+1)), all...))
		encoded(t, st)
	}
	if len(st.Devices) != secrets.MaxDevices || len(st.Removed) != state.MaxRemoved ||
		slices.Contains(st.Removed, st.Devices[0].ID) {
		t.Errorf("%d devices, %d removed", len(st.Devices), len(st.Removed))
	}
}
