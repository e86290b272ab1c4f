package provision

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"go/parser"
	gotoken "go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"twokey/device"
	"twokey/enroll/batch"
	"twokey/factor"
	"twokey/internal/safefile"
	"twokey/secrets"
	"twokey/state"
)

const (
	given   = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" // 12345678901234567890
	another = "MFRGGZDFMZTWQ2LKMFRGGZDFMZTWQ2LK"
	token   = "  devices:\n  - name: token\n    method: hotp\n    secret: " + given + "\n"
)

func TestTheSecondRunChangesNothing(t *testing.T) {
	b := newBench(t).named("web1", "web2")
	users := "- user: alice\n- user: bob\n  phone: +442079460958\n  recovery_codes: 3\n- user: carol\n" + token + "- user: dave\n  devices: []\n"
	_, changed := b.apply(users)
	if !slices.Equal(changed, []string{"alice", "bob", "carol"}) {
		t.Errorf("changed %q", changed)
	}
	before := b.tree()
	if len(before) != 7 {
		t.Errorf("files %q", slices.Sorted(maps.Keys(before)))
	}
	_, changed = b.apply(users)
	if after := b.tree(); !maps.Equal(before, after) || len(changed) != 0 {
		t.Errorf("changed %q", changed)
	}
}

func TestAUsersFilesWorkOnEachOfTheHosts(t *testing.T) {
	b := newBench(t).named("web1", "web2")
	plans, _ := b.apply("- user: alice\n  recovery_codes: 2\n- user: carol\n" + token)
	for host := range b.hosts {
		for user, p := range plans {
			must(t, p.Err)
			r := b.record(host, user)
			st := device.Restore(r, 1000, time.Now())
			set, err := device.Join(st, r, 1, time.Now())
			must(t, err)
			params := device.Params(r.Devices[0])
			code, err := params.Code(params.Step(time.Now()))
			must(t, err)
			_, err = set.Code(factor.ParseAnswer(code), time.Now(), "192.0.2.7")
			if user == "alice" {
				want(t, err, nil)
			} else {
				want(t, err, device.ErrRestored) // of hotp nobody knows which were used
			}
		}
	}
	first, second := b.record(0, "alice"), b.record(1, "alice")
	if string(first.Devices[0].Secret) != string(second.Devices[0].Secret) || len(first.Recovery.Hashes) != 2 {
		t.Error("one list, one app: the hosts have different secrets")
	}
}

func TestASignedFileThatIsOlderIsRefused(t *testing.T) {
	b := newBench(t)
	b.apply("- user: alice\n")
	old := b.record(0, "alice")
	b.apply("- user: alice\n", "alice")
	renewed := b.record(0, "alice")
	st := device.Restore(renewed, 1000, time.Now())
	if _, err := device.Join(st, old, 1, time.Now()); !errors.Is(err, device.ErrRolledBack) {
		t.Errorf("put back: %v", err)
	}
	if renewed.Serial <= old.Serial || string(renewed.Devices[0].Secret) == string(old.Devices[0].Secret) || renewed.Devices[0].ID == old.Devices[0].ID {
		t.Error("renewed, and the same")
	}
}

func TestFilesAreRefusedWhereTheyDoNotBelong(t *testing.T) {
	b := newBench(t).named("web1", "web2")
	b.apply("- user: alice\n- user: bob\n")
	files := b.tree()
	load := func(host int, name string, content string) error {
		store := b.store(host)
		must(t, os.WriteFile(filepath.Join(b.folder, "tmp"), []byte(content), 0o600))
		must(t, store.Remove(name))
		data := filepath.Dir(b.keys[host]) + "/data" + name + b.hosts[host].Name
		fresh, err := secrets.Create(data, b.keys[host])
		must(t, err)
		must(t, fresh.Close())
		must(t, os.WriteFile(data+"/users/"+name+".age", []byte(content), 0o600))
		trusting, err := secrets.Open(data, b.keys[host], b.signer.Public().String())
		must(t, err)
		defer func() { must(t, trusting.Close()) }()
		_, err = trusting.Load(name)
		must(t, os.RemoveAll(data))
		return err
	}
	want(t, load(0, "alice", files["web1/alice.age"]), nil)
	want(t, load(0, "alice", files["web1/bob.age"]), secrets.ErrWrongUser)
	want(t, load(0, "alice", files["web2/alice.age"]), secrets.ErrWrongKey)
	other, err := secrets.GenerateSigningKey(filepath.Dir(b.folder) + "/other.key")
	must(t, err)
	if b.signer, err = secrets.OpenSigningKey(filepath.Dir(b.folder) + "/other.key"); err != nil || b.signer.Public() != other {
		t.Fatal(err)
	}
	want(t, load(0, "alice", files["web1/alice.age"]), secrets.ErrSigner)
}

func TestWhatCannotBeReadBackIsMadeAnewOnlyWhereTheUserIsNamed(t *testing.T) {
	for what, users := range map[string]string{
		"another kind":       "- user: alice\n  devices:\n  - name: phone\n    digits: 8\n",
		"a given secret now": "- user: alice\n  devices:\n  - name: phone\n    secret: " + given + "\n  - name: tablet\n",
		"an end":             "- user: alice\n  devices:\n  - name: phone\n    until: 2027-01-01\n",
		"a second device":    "- user: alice\n  devices:\n  - name: phone\n  - name: token\n    secret: " + given + "\n",
		"recovery codes":     "- user: alice\n  recovery_codes: 4\n",
		"a phone number":     "- user: alice\n  phone: +442079460958\n",
	} {
		b := newBench(t)
		b.apply("- user: alice\n")
		before := b.tree()
		plans, changed := b.apply(users)
		if what == "a given secret now" {
			want(t, plans["alice"].Err, nil) // the list says all of it
			continue
		}
		want(t, plans["alice"].Err, ErrSealed)
		if !maps.Equal(before, b.tree()) || len(changed) != 0 {
			t.Errorf("%s: the files have changed", what)
		}
		plans, changed = b.apply(users, "alice")
		want(t, plans["alice"].Err, nil)
		if maps.Equal(before, b.tree()) || len(changed) != 1 {
			t.Errorf("%s: not renewed", what)
		}
		if _, changed = b.apply(users); len(changed) != 0 {
			t.Errorf("%s: changed again", what)
		}
	}
}

func TestWhatTheListGivesInFullIsChangedInPlace(t *testing.T) {
	phone := func(more string) string {
		return "- user: alice\n  devices:\n  - name: phone\n    secret: " + given + "\n" + more
	}
	b := newBench(t)
	b.apply(phone(""))
	old := b.record(0, "alice")
	for _, users := range []string{phone("    until: 2027-01-01\n"), phone("  - name: token\n    secret: " + another + "\n"),
		phone("  - name: token\n    secret: " + another + "\n  phone: +442079460958\n")} {
		plans, changed := b.apply(users)
		want(t, plans["alice"].Err, nil)
		r := b.record(0, "alice")
		if len(changed) != 1 || plans["alice"].Ends || r.Devices[0].ID != old.Devices[0].ID || !r.Devices[0].Created.Equal(old.Devices[0].Created) ||
			r.Serial <= old.Serial || string(r.Devices[0].Secret) != "12345678901234567890" {
			t.Errorf("%s: %v, %v", users, changed, r)
		}
	}
	r := b.record(0, "alice")
	if len(r.Devices) != 2 || r.Phone != "+442079460958" || r.Devices[0].Until.IsZero() {
		t.Errorf("%v with %d devices, %q", r, len(r.Devices), r.Phone)
	}
	// Another secret is another device: what was used of the old one says nothing about it.
	plans, _ := b.apply("- user: alice\n  phone: +442079460958\n  devices:\n  - name: phone\n    secret: MZXW6YTBOJTG633CMFZGM33PMJQXEZTP\n  - name: token\n    secret: " + another + "\n")
	if r := b.record(0, "alice"); r.Devices[0].ID == old.Devices[0].ID || !plans["alice"].Ends {
		t.Error("another secret under the same id")
	}
	// The number and the recovery codes of a file cannot be read back either.
	plans, _ = b.apply("- user: alice\n  devices:\n  - {name: phone, secret: MZXW6YTBOJTG633CMFZGM33PMJQXEZTP, until: 2028-01-01}\n  - {name: token, secret: " + another + "}\n")
	want(t, plans["alice"].Err, ErrSealed)
}

// A device whose time is over would have its owner asked for codes that are never right; but a list is applied after its days too.
func TestADayThatIsOverIsRefusedUnlessItIsThatOfTheFile(t *testing.T) {
	device := func(user, until string) string {
		return "- user: " + user + "\n  devices:\n  - {name: phone, secret: " + given + ", until: " + until + "}\n"
	}
	b := newBench(t)
	b.now = time.Date(2027, 1, 1, 12, 0, 0, 0, time.Local)
	b.apply(device("alice", "2027-01-01"))
	b.now = b.now.AddDate(0, 0, 1)
	for users, over := range map[string]bool{device("alice", "2027-01-01"): false, device("alice", "2026-12-31"): true, device("bob", "2027-01-01"): true} {
		plans, changed := b.apply(users)
		for user, p := range plans {
			if (p.Err != nil) != over || over && !strings.Contains(p.Err.Error(), "is over, today is 2027-01-02") || len(changed) > 0 {
				t.Errorf("%s: %v, changed %q", user, p.Err, changed)
			}
		}
	}
}

// The hashes of recovery codes cannot be read back: other codes than those on the user's page would be in force.
func TestRecoveryCodesAreMadeAnewOnlyWhereTheUserIsNamed(t *testing.T) {
	users := "- user: carol\n  recovery_codes: 3\n" + token
	b := newBench(t)
	b.apply(users)
	old := b.record(0, "carol")
	plans, changed := b.apply(users + "    until: 2027-01-01\n")
	want(t, plans["carol"].Err, ErrSealed)
	if len(changed) != 0 {
		t.Errorf("changed %q", changed)
	}
	plans, _ = b.apply(users+"    until: 2027-01-01\n", "carol")
	want(t, plans["carol"].Err, nil)
	if r := b.record(0, "carol"); !plans["carol"].Secret || len(r.Recovery.Hashes) != 3 || r.Recovery.ID == old.Recovery.ID || r.Devices[0].ID != old.Devices[0].ID {
		t.Errorf("renewed: %v", r)
	}
}

func TestUsersGo(t *testing.T) {
	b := newBench(t).named("web1", "web2")
	b.apply("- user: alice\n- user: bob\n- user: carol\n")
	j := b.open()
	if gone := j.Gone(list(t, "- user: alice\n")); !slices.Equal(gone, []string{"bob", "carol"}) {
		t.Errorf("gone %q", gone)
	}
	must(t, j.Close())
	_, changed := b.apply("- user: bob\n  present: false\n- user: nobody\n  present: false\n")
	if files := slices.Sorted(maps.Keys(b.tree())); !slices.Equal(changed, []string{"bob"}) ||
		!slices.Equal(files, []string{"manifest.json", "web1/alice.age", "web1/carol.age", "web2/alice.age", "web2/carol.age"}) {
		t.Errorf("changed %q, left %q", changed, files)
	}
	if _, changed = b.apply("- user: bob\n  present: false\n"); len(changed) != 0 {
		t.Errorf("changed again %q", changed)
	}
	if _, changed = b.apply("- user: bob\n"); len(changed) != 1 {
		t.Error("he cannot come back")
	}
}

func TestAllHostsOfAUserAreChangedTogether(t *testing.T) {
	b := newBench(t).named("web1", "web2")
	b.apply("- user: alice\n- user: carol\n" + token)
	b.named("web1")
	plans, changed := b.apply("- user: alice\n- user: bob\n")
	if !slices.Equal(changed, []string{"bob"}) || plans["alice"].Err != nil {
		t.Errorf("changed %q, %v", changed, plans["alice"].Err)
	}
	for _, users := range []string{"- user: alice\n  present: false\n", "- user: carol\n" + token + "    until: 2027-01-01\n"} {
		plans, changed = b.apply(users)
		for _, p := range plans {
			if p.Err == nil || !strings.Contains(p.Err.Error(), "web2") {
				t.Errorf("%q: %v, changed %q", users, p.Err, changed)
			}
		}
	}
	// A host that comes later, or has a new key, needs files that only a full list gives.
	b.named("web1", "web2", "web3")
	plans, changed = b.apply("- user: alice\n- user: carol\n" + token)
	want(t, plans["alice"].Err, ErrSealed)
	if r := b.record(2, "carol"); !slices.Equal(changed, []string{"carol"}) || r.User != "carol" {
		t.Errorf("changed %q", changed)
	}
}

func TestAFileThatIsMissingIsNamed(t *testing.T) {
	b := newBench(t)
	b.apply("- user: alice\n- user: carol\n" + token)
	must(t, os.Remove(b.folder+"/alice.age"))
	must(t, os.Remove(b.folder+"/carol.age"))
	plans, changed := b.apply("- user: alice\n- user: carol\n" + token)
	want(t, plans["alice"].Err, ErrSealed)
	if r := b.record(0, "carol"); !slices.Equal(changed, []string{"carol"}) || string(r.Devices[0].Secret) != "12345678901234567890" {
		t.Errorf("changed %q", changed)
	}
}

func TestWhatIsNotForAFileIsRefused(t *testing.T) {
	b := newBench(t)
	b.apply("- user: erin\n")
	before := b.tree()
	for users, refused := range map[string]func(error) bool{
		"- user: alice\n  require: {by: 2026-12-31}\n":                      func(err error) bool { return errors.Is(err, ErrPolicy) },
		"- user: alice\n  exempt: {}\n":                                     func(err error) bool { return errors.Is(err, ErrPolicy) },
		"- user: erin\n  devices:\n  - {name: phone, present: false}\n":     func(err error) bool { return errors.Is(err, batch.ErrNoneLeft) },
		"- user: alice\n  devices:\n  - {name: p, label: \"" + "a:b\"}\n":   func(err error) bool { return err != nil },
		"- user: erin\n  devices:\n  - {name: phone, digits: 12}\n  - {}\n": func(err error) bool { return err != nil },
	} {
		f, err := batch.Parse("users.yaml", strings.NewReader("version: 1\nusers:\n"+users), batch.Options{})
		must(t, err)
		if len(f.Wrong) > 0 {
			continue // refused sooner
		}
		plans, changed := b.apply(users)
		for _, p := range plans {
			if !refused(p.Err) || len(changed) > 0 || !maps.Equal(before, b.tree()) {
				t.Errorf("%q: %v, changed %q", users, p.Err, changed)
			}
		}
	}
}

func TestMustHoldNoSecretInTheManifest(t *testing.T) {
	b := newBench(t)
	j := b.open()
	users := list(t, "- user: alice\n  phone: +442079460958\n  recovery_codes: 3\n- user: carol\n  recovery_codes: 1\n"+token)
	var hidden [][]byte
	var plans []*Plan
	for i := range users {
		plans = append(plans, j.Plan(&users[i]))
	}
	must(t, j.Run(plans, func(p *Plan, _ *safefile.Set) error {
		if p.User.Name != "alice" {
			return nil
		}
		for _, d := range p.Drafts {
			hidden = append(hidden, d.Device.Secret, []byte(d.URI[len(d.URI)-60:]))
		}
		for _, code := range p.Codes {
			hidden = append(hidden, []byte(code), []byte(strings.ReplaceAll(code, "-", "")))
		}
		return nil
	}, func([]*Plan) error { return nil }))
	must(t, j.Close())
	r := b.record(0, "alice")
	hidden = append(hidden, []byte("12345678901234567890"), []byte("442079460958"), []byte("2079460958"), r.Recovery.Key[:], r.Recovery.Hashes[0][:])
	text := b.tree()["manifest.json"]
	if len(hidden) < 10 || !strings.Contains(text, `"phone": "`) {
		t.Fatalf("%d secrets, manifest %s", len(hidden), text)
	}
	lower := strings.ToLower(text)
	for _, secret := range hidden {
		for _, form := range []string{string(secret), hex.EncodeToString(secret), base64.RawStdEncoding.EncodeToString(secret),
			base64.RawURLEncoding.EncodeToString(secret), base32.StdEncoding.EncodeToString(secret), fmt.Sprint(secret), sums(secret)} {
			for _, part := range strings.Split(form, "|") {
				if strings.Contains(lower, strings.ToLower(strings.Trim(part, "=[]"))) {
					t.Errorf("the manifest shows %q", part)
				}
			}
		}
	}
	// The digest of a number without the signing key would be found by trying all numbers.
	other := newBench(t)
	must(t, os.WriteFile(other.folder+".key", []byte(strings.Replace(exampleSigningKey, "AQID", "AQIE", 1)), 0o600))
	signer, err := secrets.OpenSigningKey(other.folder + ".key")
	must(t, err)
	other.signer = signer
	if other.open().phoneDigest("alice", "+442079460958") == b.open().phoneDigest("alice", "+442079460958") {
		t.Error("the digest does not depend on the key")
	}
}

func TestAFolderOfAnotherSignerIsRefused(t *testing.T) {
	b := newBench(t)
	b.apply("- user: alice\n")
	path := filepath.Dir(b.folder) + "/another.key"
	_, err := secrets.GenerateSigningKey(path)
	must(t, err)
	signer, err := secrets.OpenSigningKey(path)
	must(t, err)
	_, err = Open(Wish{Folder: b.folder, Hosts: b.hosts, Now: time.Now}, signer)
	want(t, err, ErrSigner)
}

func TestAManifestThatIsNotAsWrittenIsRefused(t *testing.T) {
	b := newBench(t)
	b.apply("- user: alice\n- user: bob\n")
	good := b.tree()["manifest.json"]
	for _, text := range badManifests(good) {
		must(t, os.WriteFile(b.folder+"/manifest.json", []byte(text), 0o600))
		if _, err := Open(Wish{Folder: b.folder, Hosts: b.hosts, Now: time.Now}, b.signer); !errors.Is(err, ErrManifest) {
			t.Errorf("%.80q: %v", text, err)
		}
	}
	must(t, os.WriteFile(b.folder+"/manifest.json", []byte(good), 0o600))
	must(t, os.Chmod(b.folder+"/manifest.json", 0o666))
	_, err := Open(Wish{Folder: b.folder, Hosts: b.hosts, Now: time.Now}, b.signer)
	want(t, err, safefile.ErrMode)
}

func badManifests(good string) []string {
	return []string{"", "{}", "[]", "null", good[:len(good)-1], good + "\n", " " + good, strings.Replace(good, `"version": 1`, `"version": 2`, 1),
		strings.Replace(good, `"alice"`, `"zoe"`, 1), strings.Replace(good, `"bob"`, `"alice"`, 1), strings.Replace(good, `"serial"`, `"Serial"`, 1),
		strings.Replace(good, `"phone": ""`, `"phone": "", "note": ""`, 1), strings.Replace(good, `"id": "`, `"id": "z`, 1),
		strings.Replace(good, "2026-01-0", "2026-13-0", 1), strings.Replace(good, `"hosts": {`, `"hosts": null, "x": {`, 1)}
}

func FuzzDecodeManifest(f *testing.F) {
	good := exampleManifest(f)
	f.Add([]byte(good))
	for _, text := range badManifests(good) {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decodeManifest(b)
		if err != nil {
			if !errors.Is(err, ErrManifest) || m != nil {
				t.Errorf("%v, %v", m, err)
			}
			return
		}
		for _, u := range m.Users {
			for _, d := range u.Devices {
				if _, err := d.device(); err != nil {
					t.Error(err)
				}
			}
		}
	})
}

// sums are digests without a key, whole and cut.
func sums(secret []byte) string {
	long, short := sha256.Sum256(secret), sha1.Sum(secret)
	return hex.EncodeToString(long[:8]) + "|" + hex.EncodeToString(short[:8])
}

// exampleManifest is that of the package comment.
func exampleManifest(t testing.TB) string {
	t.Helper()
	source, err := parser.ParseFile(gotoken.NewFileSet(), "provision.go", nil, parser.ParseComments|parser.PackageClauseOnly)
	must(t, err)
	_, rest, found := strings.Cut(source.Doc.Text(), "\n\t{\n")
	shown, _, ends := strings.Cut(rest, "\n\t}\n")
	if !found || !ends {
		t.Fatal("the package comment shows no manifest")
	}
	return strings.ReplaceAll("\t{\n"+shown+"\n\t}\n", "\t", "")
}

func TestThePackageCommentIsTheSpecification(t *testing.T) {
	b := newBench(t)
	hosts, err := ParseHosts([]string{"web1=" + exampleRecipient})
	must(t, err)
	b.hosts = hosts
	b.usual.Host = "web1"
	b.apply("- user: alice\n  devices:\n  - name: phone\n    secret: " + given + "\n")
	j := b.open()
	j.known["alice"].Devices[0].ID, j.known["alice"].Serial = "0001020304050607", 1767323045000
	j.known["alice"].Devices[0].Created = "2026-01-02T03:04:05Z"
	must(t, j.writeManifest())
	must(t, j.Close())
	if got, shown := b.tree()["manifest.json"], exampleManifest(t); got != shown {
		t.Errorf("written as\n%s\nthe package comment shows\n%s", got, shown)
	}
}

func TestParseHosts(t *testing.T) {
	for _, texts := range [][]string{nil, {""}, {"web1"}, {"=" + exampleRecipient}, {"../x=" + exampleRecipient}, {"a/b=" + exampleRecipient}, {".x=" + exampleRecipient},
		{exampleRecipient, exampleRecipient}, {"a=" + exampleRecipient, exampleRecipient}, {"a=" + exampleRecipient, "a=" + exampleRecipient}, {exampleHostKey}, {"a=b=" + exampleRecipient}} {
		if hosts, err := ParseHosts(texts); hosts != nil || !errors.Is(err, ErrHost) || strings.Contains(fmt.Sprint(err), "QQQSYQCY") {
			t.Errorf("%q: %v, %v", texts, hosts, err)
		}
	}
	hosts, err := ParseHosts([]string{"web1=" + exampleRecipient, "web2.example.org=" + exampleRecipient})
	if err != nil || len(hosts) != 2 || hosts[1].Name != "web2.example.org" {
		t.Errorf("%v, %v", hosts, err)
	}
}

// A state must be there before the second code: the one of the first login.
func TestTheStateOfACopiedFileKnowsWhatTheFirstLoginUsed(t *testing.T) {
	b := newBench(t)
	b.apply("- user: alice\n")
	r := b.record(0, "alice")
	states, err := state.Create(t.TempDir())
	must(t, err)
	must(t, states.New(device.Restore(r, 1000, time.Now())))
	params := device.Params(r.Devices[0])
	code, err := params.Code(params.Step(time.Now()))
	must(t, err)
	for _, sentinel := range []error{nil, device.ErrReplayed} {
		err := states.Update("alice", func(tx *state.Tx) error {
			set, err := device.Join(tx.State, r, 1, time.Now())
			if err == nil {
				_, err = set.Code(factor.ParseAnswer(code), time.Now(), "192.0.2.7")
			}
			return err
		})
		want(t, err, sentinel)
	}
	must(t, states.Close())
}
