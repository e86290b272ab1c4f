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

// host is all of twokey's files, as they are after init, and users with one device each.
type host struct {
	dir    string
	users  *enroll.Users
	phones []*phone // of those who log in
}

// parts are what is mounted on hostFolders, in their order.
func (h *host) parts() []string {
	return []string{filepath.Join(h.dir, "etc"), filepath.Join(h.dir, "lib"), filepath.Join(h.dir, "log")}
}

// mounted is what a program is started under for which this is the host: with its files in their usual places. A configuration that names others
// takes longer to be read.
func (h *host) mounted() []string {
	argv := []string{"unshare", "--mount", "--propagation", "private", "sh", "-c"}
	script, places := "", h.parts()
	for i, part := range places {
		script += fmt.Sprintf("mount --bind '%s' %s && ", part, hostFolders[i])
	}
	return append(argv, script+`exec "$@"`, "sh")
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
	h := &host{dir: dir}
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
	if _, err := audit.Create(h.log()); err != nil {
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
