package main

import (
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"twokey/bench/site"
	"twokey/factor"
)

// peerPhone is a device of hotp at another module, for the user of this number.
func peerPhone(i int, first uint64) *site.Phone {
	secret := []byte(fmt.Sprintf("%020d", i))
	return &site.Phone{User: site.UserName(i), Params: factor.Params{Method: factor.HOTP, Secret: secret, Digits: 6, Algorithm: factor.SHA1}, Counter: first}
}

// googleFile is what google-authenticator(1) writes for counters.
func googleFile(d *site.Phone) string {
	return fmt.Sprintf("%s\n\" HOTP_COUNTER %d\n", base32.StdEncoding.EncodeToString(d.Params.Secret), d.Counter)
}

// googleUsers gives every account its file, in its home folder, and a service.
func (b *bench) googleUsers(service string) ([]*site.Phone, error) {
	var phones []*site.Phone
	for i := range site.Accounts {
		d := peerPhone(i, 1)
		path := filepath.Join(b.Home(i), ".google_authenticator")
		if err := os.WriteFile(path, []byte(googleFile(d)), 0o400); err != nil {
			return nil, err
		}
		if err := os.Chown(path, site.FirstUID+i, 65534); err != nil {
			return nil, err
		}
		phones = append(phones, d)
	}
	return phones, b.Service(service, "auth required pam_google_authenticator.so")
}

// oathUsers writes a file of n users for pam_oath, and a service that uses it. Those who log in stand in its middle, since it reads up to the
// line of the user; it writes the whole of it again.
func (b *bench) oathUsers(service string, n int) ([]*site.Phone, error) {
	var phones []*site.Phone
	var lines strings.Builder
	for line := range n {
		i := (line + n/2) % n
		d := peerPhone(i, 0)
		fmt.Fprintf(&lines, "HOTP %s - %s\n", d.User, hex.EncodeToString(d.Params.Secret))
		if i < site.Accounts {
			phones = append(phones, d)
		}
	}
	slices.SortFunc(phones, func(a, b *site.Phone) int { return strings.Compare(a.User, b.User) })
	dir := filepath.Join(b.Dir, "oath")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, service+".users")
	if err := os.WriteFile(path, []byte(lines.String()), 0o600); err != nil {
		return nil, err
	}
	return phones, b.Service(service, "auth required pam_oath.so window=10 digits=6 usersfile="+path)
}
