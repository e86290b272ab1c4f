package main

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

// host is one folder with all of twokey's files, and users with one device each.
type host struct {
	dir, config string
	users       *enroll.Users
	phones      []*phone // of those who log in
}

// phone is a device whose codes are known here.
type phone struct {
	user    string
	params  factor.Params
	counter uint64 // of hotp: the next
}

// code is the next of hotp, or that of a step of totp, counted from now.
func (d *phone) code(offset int64) (string, error) {
	if d.params.Method == factor.TOTP {
		return d.params.Code(uint64(int64(d.params.Step(time.Now())) + offset))
	}
	d.counter++
	return d.params.Code(d.counter - 1)
}

// login is one with the next code.
func (d *phone) login() (login, error) {
	code, err := d.code(0)
	return login{d.user, code}, err
}

// wrong is a code of the right length that is none of the device's for a day.
func (d *phone) wrong() (login, error) {
	shown := map[string]bool{}
	first, count := uint64(d.counter), uint64(3000)
	if d.params.Method == factor.TOTP {
		first = d.params.Step(time.Now()) - count/2
	}
	for i := range count {
		code, err := d.params.Code(first + i)
		if err != nil {
			return login{}, err
		}
		shown[code] = true
	}
	for guess := 0; ; guess++ {
		if text := fmt.Sprintf("%06d", guess); !shown[text] {
			return login{d.user, text}, nil
		}
	}
}

// newHost makes a host with so many users. Those who log in have accounts; the others, with names in the same form, have none.
func newHost(dir string, n int, method factor.Method) (*host, error) {
	h := &host{dir: dir, config: filepath.Join(dir, "twokey.yaml")}
	data, key, log := filepath.Join(dir, "data"), filepath.Join(dir, "host.key"), filepath.Join(dir, "log", "audit.jsonl")
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, err
	}
	text := fmt.Sprintf("version: 1\ndefault: required\npaths: {data: %q, audit: %q, key: %q, credentials: %q}\n", data, log, key, dir+"/credentials")
	if err := os.WriteFile(h.config, []byte(text), 0o644); err != nil {
		return nil, err
	}
	if err := secrets.GenerateHostKey(key); err != nil {
		return nil, err
	}
	if _, err := audit.Create(log); err != nil {
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
	h.users = &enroll.Users{Secrets: keep, State: states, Now: time.Now}
	if err := h.users.CreateDecoys(); err != nil {
		return nil, err
	}
	return h, h.enrol(n, method)
}

func (h *host) log() string { return filepath.Join(h.dir, "log", "audit.jsonl") }

// enrol gives each user a device.
func (h *host) enrol(n int, method factor.Method) error {
	params := factor.Params{Method: method, Digits: 6, Algorithm: factor.SHA1}
	if method == factor.TOTP {
		params.Period = 30
	}
	var drafts []*enroll.Draft
	for i := range n {
		account := enroll.Account{Name: userName(i), UID: uint32(firstUID + i)}
		d, err := h.users.Draft(account, enroll.Request{Device: "phone", Label: account.Name, Issuer: "bench", Params: params})
		if err != nil {
			return err
		}
		drafts = append(drafts, d)
		if i < accounts {
			params := params
			params.Secret = d.Device.Secret
			h.phones = append(h.phones, &phone{user: account.Name, params: params})
		}
	}
	for some := range slices.Chunk(drafts, 2000) {
		if err := errors.Join(h.users.CommitAll(some)...); err != nil {
			return err
		}
	}
	return nil
}

// unlock fills the user's tries up again, as twokey unlock does.
func (h *host) unlock(user string) error {
	return h.users.State.Update(user, func(tx *state.Tx) error {
		tx.Unlock()
		return nil
	})
}
