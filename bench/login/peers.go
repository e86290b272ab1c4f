package main

import (
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"twokey/bench/site"
	"twokey/factor"
)

// peerPhone is a device of hotp at another module, for the user of this number.
func peerPhone(i int, first uint64) *site.Phone {
	secret := []byte(fmt.Sprintf("%020d", i))
	return &site.Phone{User: site.UserName(i), Params: factor.Params{Method: factor.HOTP, Secret: secret, Digits: 6, Algorithm: factor.SHA1}, Counter: first}
}

// googleUsers gives every account a file as google-authenticator(1) writes it for counters, in its home folder, and a service.
func (b *bench) googleUsers(service string) ([]*site.Phone, error) {
	var phones []*site.Phone
	for i := range site.Accounts {
		d := peerPhone(i, 1)
		text := base32.StdEncoding.EncodeToString(d.Params.Secret) + "\n\" HOTP_COUNTER 1\n"
		path := filepath.Join(b.Home(i), ".google_authenticator")
		if err := os.WriteFile(path, []byte(text), 0o400); err != nil {
			return nil, err
		}
		if err := os.Chown(path, site.FirstUID+i, 65534); err != nil {
			return nil, err
		}
		phones = append(phones, d)
	}
	return phones, b.Service(service, "auth required pam_google_authenticator.so")
}

// oathUsers writes a file of n users for pam_oath, and a service that uses it.
func (b *bench) oathUsers(service string, n int) ([]*site.Phone, error) {
	var phones []*site.Phone
	var lines strings.Builder
	for i := range n {
		d := peerPhone(i, 0)
		fmt.Fprintf(&lines, "HOTP %s - %s\n", d.User, hex.EncodeToString(d.Params.Secret))
		if i < site.Accounts {
			phones = append(phones, d)
		}
	}
	path := filepath.Join(b.Dir, service+".users")
	if err := os.WriteFile(path, []byte(lines.String()), 0o600); err != nil {
		return nil, err
	}
	return phones, b.Service(service, "auth required pam_oath.so window=10 digits=6 usersfile="+path)
}
