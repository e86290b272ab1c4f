// Package site makes what the benchmarks run on: accounts, enrolled hosts and codes, in a mount namespace of their own, and counts what
// they measure.
package site

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"twokey/audit"
	"twokey/enroll"
	"twokey/factor"
	"twokey/secrets"
	"twokey/state"
)

// Host is all of twokey's files, as they are after init, and users with one device each.
type Host struct {
	dir    string
	Users  *enroll.Users
	Phones []*Phone // of those who log in
}

// parts are what is mounted on hostFolders, in their order.
func (h *Host) parts() []string {
	return []string{filepath.Join(h.dir, "etc"), filepath.Join(h.dir, "lib"), filepath.Join(h.dir, "log")}
}

// Mounted is what a program is started under for which this is the host: with its files in their usual places. A configuration that names others
// takes longer to be read.
func (h *Host) Mounted() []string {
	argv := []string{"unshare", "--mount", "--propagation", "private", "sh", "-c"}
	script, places := "", h.parts()
	for i, part := range places {
		script += fmt.Sprintf("mount --bind '%s' %s && ", part, hostFolders[i])
	}
	return append(argv, script+`exec "$@"`, "sh")
}

// Login is who logs in, and his answer.
type Login struct{ User, Code string }

// Phone is a device whose codes are known here.
type Phone struct {
	User    string
	Params  factor.Params
	Counter uint64 // of hotp: the next
}

// Code is the next of hotp, or that of a step of totp, counted from now.
func (d *Phone) Code(offset int64) (string, error) {
	if d.Params.Method == factor.TOTP {
		return d.Params.Code(uint64(int64(d.Params.Step(time.Now())) + offset))
	}
	d.Counter++
	return d.Params.Code(d.Counter - 1)
}

// Login is one with the next code.
func (d *Phone) Login() (Login, error) {
	code, err := d.Code(0)
	return Login{d.User, code}, err
}

// Wrong is a code of the right length that is none of the device's for a day.
func (d *Phone) Wrong() (Login, error) {
	shown := map[string]bool{}
	first, count := uint64(d.Counter), uint64(3000)
	if d.Params.Method == factor.TOTP {
		first = d.Params.Step(time.Now()) - count/2
	}
	for i := range count {
		code, err := d.Params.Code(first + i)
		if err != nil {
			return Login{}, err
		}
		shown[code] = true
	}
	for guess := 0; ; guess++ {
		if text := fmt.Sprintf("%06d", guess); !shown[text] {
			return Login{d.User, text}, nil
		}
	}
}

// NewHost makes a host with so many users. Those who log in have accounts; the others, with names in the same form, have none.
func NewHost(dir string, n int, method factor.Method) (*Host, error) {
	h := &Host{dir: dir}
	for _, part := range h.parts() {
		if err := os.MkdirAll(part, 0o700); err != nil {
			return nil, err
		}
	}
	etc, data := h.parts()[0], h.parts()[1]
	key := filepath.Join(etc, "host.key")
	if err := os.WriteFile(filepath.Join(etc, "twokey.yaml"), []byte("version: 1\ndefault: required\n"), 0o644); err != nil {
		return nil, err
	}
	if err := secrets.GenerateHostKey(key); err != nil {
		return nil, err
	}
	if _, err := audit.Create(h.Log()); err != nil {
		return nil, err
	}
	keep, err := secrets.Create(data, key)
	if err != nil {
		return nil, err
	}
	states, err := state.Create(data)
	if err != nil {
		return nil, err
	}
	h.Users = &enroll.Users{Secrets: keep, State: states, Now: time.Now}
	if err := h.Users.CreateDecoys(); err != nil {
		return nil, err
	}
	return h, h.enrol(n, method)
}

// Log is the audit log.
func (h *Host) Log() string { return filepath.Join(h.dir, "log", "audit.jsonl") }

// enrol gives each user a device.
func (h *Host) enrol(n int, method factor.Method) error {
	params := factor.Params{Method: method, Digits: 6, Algorithm: factor.SHA1}
	if method == factor.TOTP {
		params.Period = 30
	}
	var drafts []*enroll.Draft
	for i := range n {
		account := enroll.Account{Name: UserName(i), UID: uint32(FirstUID + i)}
		d, err := h.Users.Draft(account, enroll.Request{Device: "phone", Label: account.Name, Issuer: "bench", Params: params})
		if err != nil {
			return err
		}
		drafts = append(drafts, d)
		if i < Accounts {
			params := params
			params.Secret = d.Device.Secret
			h.Phones = append(h.Phones, &Phone{User: account.Name, Params: params})
		}
	}
	for some := range slices.Chunk(drafts, 2000) {
		if err := errors.Join(h.Users.CommitAll(some)...); err != nil {
			return err
		}
	}
	return nil
}

// Unlock fills the user's tries up again, as twokey unlock does.
func (h *Host) Unlock(user string) error {
	return h.Users.State.Update(user, func(tx *state.Tx) error {
		tx.Unlock()
		return nil
	})
}
