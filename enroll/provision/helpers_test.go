package provision

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"twokey/enroll/batch"
	"twokey/factor"
	"twokey/internal/safefile"
	"twokey/secrets"
)

// The keys of the examples in the package comments of secrets and of this package.
const (
	exampleHostKey    = "AGE-SECRET-KEY-1QQQSYQCYQ5RQWZQFPG9SCRGWPUGPZYSNZS23V9CCRYDPK8QARC0SWRYDWG\n"
	exampleRecipient  = "age13aqvttdk3ujkyjh9kg2w5an6dmy5mq5a84a4uxk3hfhnugfc9p0sy5p2wh"
	exampleSigningKey = "twokey-signing-key1AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA\n"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t testing.TB, err, sentinel error) {
	t.Helper()
	if !errors.Is(err, sentinel) || sentinel == nil && err != nil {
		t.Errorf("error %v, want %v", err, sentinel)
	}
}

// bench is a machine on which files are made, and the hosts that they are for.
type bench struct {
	t      testing.TB
	folder string
	signer *secrets.SigningKey
	hosts  []Host
	keys   []string // files of the hosts' private keys
	now    time.Time
	usual  batch.Usual
}

// newBench has one host, without a name, whose key is that of the example.
func newBench(t testing.TB) *bench {
	t.Helper()
	dir := t.TempDir()
	b := &bench{t: t, folder: dir + "/out", now: start, usual: batch.Usual{Issuer: "Example Ltd",
		Params: factor.Params{Method: factor.TOTP, Digits: 6, Period: 30, Algorithm: factor.SHA1}}}
	must(t, os.WriteFile(dir+"/signing.key", []byte(exampleSigningKey), 0o600))
	must(t, os.WriteFile(dir+"/host.key", []byte(exampleHostKey), 0o600))
	b.keys = []string{dir + "/host.key"}
	var err error
	b.signer, err = secrets.OpenSigningKey(dir + "/signing.key")
	must(t, err)
	b.hosts, err = ParseHosts([]string{exampleRecipient})
	must(t, err)
	return b
}

// named makes the bench one for hosts with these names.
func (b *bench) named(names ...string) *bench {
	b.t.Helper()
	b.hosts, b.keys = nil, nil
	for _, name := range names {
		path := filepath.Join(filepath.Dir(b.folder), name+".key")
		if err := secrets.GenerateHostKey(path); err != nil && !errors.Is(err, fs.ErrExist) {
			b.t.Fatal(err)
		}
		key, err := secrets.OpenHostKey(path)
		must(b.t, err)
		hosts, err := ParseHosts([]string{name + "=" + key.Recipient()})
		must(b.t, err)
		b.hosts, b.keys = append(b.hosts, hosts...), append(b.keys, path)
	}
	return b
}

func (b *bench) open(renew ...string) *Job {
	b.t.Helper()
	j, err := Open(Wish{Folder: b.folder, Hosts: b.hosts, Renew: renew, Usual: b.usual, Now: func() time.Time { return b.now }}, b.signer)
	must(b.t, err)
	return j
}

// list parses one in YAML, without its first two lines.
func list(t testing.TB, users string) []batch.User {
	t.Helper()
	f, err := batch.Parse("users.yaml", strings.NewReader("version: 1\nusers:\n"+users), batch.Options{})
	must(t, err)
	for _, wrong := range f.Wrong {
		t.Fatal(wrong)
	}
	return f.Users
}

// apply makes what a list wants and returns its plans, with their errors, as they were just after it; of secrets, those.
func (b *bench) apply(users string, renew ...string) (plans map[string]*Plan, changed []string) {
	b.t.Helper()
	j := b.open(renew...)
	plans = map[string]*Plan{}
	var todo []*Plan
	wished := list(b.t, users)
	for i := range wished {
		p := j.Plan(&wished[i])
		plans[wished[i].Name] = p
		if p.Err == nil && !p.Idle() {
			todo = append(todo, p)
			changed = append(changed, wished[i].Name)
		}
	}
	b.now = b.now.Add(time.Hour)
	must(b.t, j.Run(todo, func(*Plan, *safefile.Set) error { return nil }, func([]*Plan) error { return nil }))
	must(b.t, j.Close())
	return plans, changed
}

// record opens a user's file as the host of this number does.
func (b *bench) record(host int, user string) *secrets.Record {
	b.t.Helper()
	r, err := b.store(host).Load(user)
	must(b.t, err)
	return r
}

// store is the folder of users of a host, with copies of its files.
func (b *bench) store(host int) *secrets.Store {
	b.t.Helper()
	data := b.t.TempDir()
	store, err := secrets.Create(data, b.keys[host])
	must(b.t, err)
	must(b.t, store.Close())
	files, err := filepath.Glob(filepath.Join(b.folder, b.hosts[host].Name, "*.age"))
	must(b.t, err)
	for _, file := range files {
		content, err := os.ReadFile(file)
		must(b.t, err)
		must(b.t, os.WriteFile(filepath.Join(data, "users", filepath.Base(file)), content, 0o600))
	}
	store, err = secrets.Open(data, b.keys[host], b.signer.Public().String())
	must(b.t, err)
	b.t.Cleanup(func() { must(b.t, store.Close()) })
	return store
}

// tree is what lies in the folder, by path.
func (b *bench) tree() map[string]string {
	b.t.Helper()
	files := map[string]string{}
	must(b.t, filepath.WalkDir(b.folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		files[strings.TrimPrefix(path, b.folder+"/")] = string(content)
		return err
	}))
	return files
}
