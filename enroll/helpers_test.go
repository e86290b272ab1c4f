package enroll

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"twokey/device"
	"twokey/factor"
	"twokey/secrets"
	"twokey/state"
)

var alice, bob = Account{"alice", 1000}, Account{"bob", 1001}

// openUsers opens the users of a data folder, whose host key lies in it, and makes what is missing.
func openUsers(t testing.TB, data string) *Users {
	t.Helper()
	key := data + "/host.key"
	if err := secrets.GenerateHostKey(key); err != nil && !errors.Is(err, fs.ErrExist) {
		t.Fatal(err)
	}
	store, err := secrets.Create(data, key)
	must(t, err)
	st, err := state.Create(data)
	must(t, err)
	t.Cleanup(func() {
		must(t, store.Close())
		must(t, st.Close())
	})
	return &Users{Secrets: store, State: st, Now: time.Now}
}

// scratch is an empty data folder.
func scratch(t testing.TB) (u *Users, data string) {
	t.Helper()
	data = t.TempDir()
	return openUsers(t, data), data
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t testing.TB, err, sentinel error) {
	t.Helper()
	if !errors.Is(err, sentinel) {
		t.Errorf("error %v, want %v", err, sentinel)
	}
}

// usual asks for what most people have.
func usual() Request {
	return Request{Device: "phone", Issuer: "Example", Label: "alice@host", Recovery: 4,
		Params: factor.Params{Method: factor.TOTP, Digits: 6, Period: 30, Algorithm: factor.SHA1}}
}

func counter() Request {
	r := usual()
	r.Params.Method, r.Params.Period = factor.HOTP, 0
	return r
}

func replacing(r Request) Request {
	r.Replace = true
	return r
}

// enrolled gives the account a device.
func enrolled(t testing.TB, u *Users, a Account, r Request) *Draft {
	t.Helper()
	d, err := u.Draft(a, r)
	must(t, err)
	must(t, u.Commit(d))
	return d
}

// code is what the device of the draft shows now, or, of hotp, at the counter.
func code(t testing.TB, u *Users, d *Draft, at uint64) string {
	t.Helper()
	p := device.Params(d.Device)
	if p.Method == factor.TOTP {
		at = p.Step(u.Now())
	}
	text, err := p.Code(at)
	must(t, err)
	return text
}

// login does what a login does with an answer: nil is in.
func login(u *Users, a Account, answer string) error {
	record, err := u.Secrets.Load(a.Name)
	if err != nil {
		return err
	}
	look := func(tx *state.Tx) error {
		if tx.UID != a.UID {
			return ErrOtherUID
		}
		set, err := device.Join(tx.State, record, 1, u.Now())
		if err != nil {
			return err
		}
		typed := factor.ParseAnswer(answer)
		if typed.Kind == factor.Recovery {
			_, err = set.RecoveryCode(typed)
		} else {
			_, err = set.Code(typed, u.Now(), "192.0.2.7")
		}
		return err
	}
	err = u.State.Update(a.Name, look)
	if errors.Is(err, fs.ErrNotExist) {
		if err = u.State.New(device.Restore(record, a.UID, u.Now())); err == nil || errors.Is(err, fs.ErrExist) {
			err = u.State.Update(a.Name, look)
		}
	}
	return err
}

// fileOf is where a user's secrets lie.
func fileOf(data, user string) string { return filepath.Join(data, "users", user+".age") }

// left lists the files of a data folder, decoys and key left out.
func left(t testing.TB, data string) []string {
	t.Helper()
	var names []string
	must(t, filepath.WalkDir(data, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && entry.Name() != "host.key" && !strings.Contains(entry.Name(), "decoy") {
			names = append(names, strings.TrimPrefix(path, data+"/"))
		}
		return err
	}))
	slices.Sort(names)
	return names
}

func holds(t testing.TB, data string, files ...string) {
	t.Helper()
	if found := left(t, data); !slices.Equal(found, files) {
		t.Errorf("files %q, want %q", found, files)
	}
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	must(t, err)
	must(t, os.WriteFile(to, content, 0o600))
}

func garble(t testing.TB, path string) {
	t.Helper()
	must(t, os.WriteFile(path, []byte(strings.Repeat("random bytes, more or less. ", 439))[:12288], 0o600))
}
