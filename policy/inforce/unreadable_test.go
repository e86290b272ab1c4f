package inforce

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"twokey/policy"
)

// house is a policy under which each of the logins is asked or refused.
const house = `default: required
require:
  - {users: [alice], by: 2020-12-31}   # long over
  - {groups: [wheel]}
exempt:
  - {users: [robot], services: [su], until: 2030-12-31}
rules:
  - {name: nights, groups: [guests], hours: ['22:00-06:00'], zone: Europe/Berlin, then: deny}
  - {name: office, users: [carol], from: [192.0.2.0/24], ssh_auth: [publickey], then: optional, remember: 8h}
services:
  vsftpd: {ask: never}
methods: [totp, recovery]
ssh_keys_alone: deny
`

// logins are asked or refused under that policy, all of them.
func logins() []policy.Facts {
	in := func(groups ...string) func(string) (bool, error) {
		return func(g string) (bool, error) { return strings.Contains(strings.Join(groups, " "), g), nil }
	}
	login := func(user, service string, enrolled bool, groups ...string) policy.Facts {
		return policy.Facts{User: user, UID: 1000, Known: user != "nobody", Service: service, RHost: "192.0.2.7", SSHAuth: []string{"publickey"},
			Enrolled: enrolled, Time: time.Date(2026, 11, 20, 23, 0, 0, 0, time.UTC), InGroup: in(groups...)}
	}
	return []policy.Facts{
		login("alice", "sshd", true), login("alice", "sshd", false), login("dave", "sudo", true, "wheel"), login("carol", "sshd", true),
		login("eve", "sshd", true, "guests"), login("robot", "sshd", false), login("dave", "vsftpd", true), login("nobody", "sshd", false),
	}
}

// asksAll reports whether no login is let by without a question.
func asksAll(c *policy.Config) bool {
	for _, f := range logins() {
		if c.Decide(f).Action == policy.Ignore || c.AsksNobody(f) || c.SwitchedOff(f.Time) {
			return false
		}
	}
	return !c.Observe && c.SSHKeysAlone == policy.KeysDeny
}

// checkUnreadable writes a source and demands that what comes into force is what it says, or the last good policy, or none, which
// lets nobody in: that it cannot be read never decides for "not asked".
func checkUnreadable(t *testing.T, s scratch, good *Policy, source []byte) (kind string) {
	t.Helper()
	s.write(string(source))
	p, err := load(s.config, s.usual, func(string, string, []byte, string) error { return nil })
	parsed, parseErr := policy.Parse(source)
	zeros := [sha256.Size]byte{}
	switch {
	case parseErr == nil && err == nil && !p.LastGood:
		if !bytes.Equal(p.Compile(zeros), parsed.Compile(zeros)) {
			t.Fatalf("another policy is in force than the file has\n%s", source)
		}
		return "read"
	case parseErr == nil:
		t.Fatalf("a file that is right is not in force: %v, %+v\n%s", err, p, source)
	case err != nil:
		if !errors.Is(err, ErrNone) || !asksAll(p.Config) || p.Default != policy.Deny {
			t.Fatalf("without any policy: %v, %+v\n%s", err, p.Config, source)
		}
		return "none"
	}
	if !p.LastGood || p.Problem == nil || !bytes.Equal(p.Compile(zeros), good.Compile(zeros)) || !asksAll(p.Config) {
		t.Fatalf("not the last good policy: %+v\n%s", p, source)
	}
	return "last good"
}

// mutate changes some bytes, or whole lines.
func mutate(random *rand.Rand, source []byte) []byte {
	const bytesOfYAML = "{}[]:,-'\"#&*!|>% \t\n\x00\xff0aA~?"
	b := bytes.Clone(source)
	for range 1 + random.IntN(3) {
		i := random.IntN(len(b))
		switch random.IntN(5) {
		case 0:
			b[i] = bytesOfYAML[random.IntN(len(bytesOfYAML))]
		case 1:
			b = append(b[:i], b[i+1:]...)
		case 2:
			b = append(b[:i:i], append([]byte{bytesOfYAML[random.IntN(len(bytesOfYAML))]}, b[i:]...)...)
		case 3:
			b = append(b, b[i:]...)
		default:
			b = b[:i+1]
		}
	}
	return b
}

func TestMustNotTakeUnreadableForNotAsked(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	kinds := map[string]int{}
	s := newScratch(t)
	source := in(s.usual, house)
	good := s.keeps(source)
	if !asksAll(good.Config) {
		t.Fatal("somebody is not asked to begin with")
	}
	for range 250 {
		kinds[checkUnreadable(t, s, good, mutate(random, []byte(source)))]++
	}
	bare := newScratch(t) // that never had a good policy
	for range 60 {
		kinds["bare: "+checkUnreadable(t, bare, nil, mutate(random, []byte(in(bare.usual, house+"colour: red"))))]++
	}
	if kinds["read"] < 4 || kinds["last good"] < 100 || kinds["bare: none"] < 30 || kinds["bare: last good"] > 0 {
		t.Errorf("too few of a kind: %v", kinds)
	}
}

// seeds are sources that a fuzzer begins with, without the line that names the data folder.
func seeds() []string {
	return []string{"", "\n", "---\n", "version: 1\n", "version: 1\nenabled: false\n", "version: 1\nenabled: fals\n", "version: 2\nenabled: false\n",
		"version: 1\ndefault: exempt\n", "version: 1\ndefault: exemp\n", "version: 1\nobserve: true\nobserv: true\n", "version: 1\noff_until: tomorrow\n",
		"version: 1\nexempt: [{from: [0.0.0.0/33]}]\n", "version: 1\nrules: [{tty: [remote], then: allow}]\n", "version: 1\n---\nenabled: false\n",
		"version: 1\nservices: {sshd: {ask: exempt}}\nservices: {}\n", "version: 1\n" + house, "\xff\xfe", "version: 1\n\u2028enabled: false\n"}
}

func TestTheFuzzTargetHasSeeds(t *testing.T) {
	good := 0
	for _, src := range seeds() {
		if _, err := policy.Parse([]byte(src)); err == nil {
			good++
		}
	}
	if len(seeds()) != 18 || good != 4 {
		t.Errorf("%d seeds, %d of them right", len(seeds()), good)
	}
}

func FuzzUnreadable(f *testing.F) {
	for _, src := range seeds() {
		f.Add([]byte(src))
	}
	f.Fuzz(func(t *testing.T, source []byte) {
		s := newScratch(t)
		checkUnreadable(t, s, s.keeps(in(s.usual, house)), source)
	})
}
