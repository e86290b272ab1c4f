package main

import (
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"twokey/factor"
)

// peerPhone is a device of hotp at another module, for the user of this number.
func peerPhone(i int, first uint64) *phone {
	secret := []byte(fmt.Sprintf("%020d", i))
	return &phone{userName(i), factor.Params{Method: factor.HOTP, Secret: secret, Digits: 6, Algorithm: factor.SHA1}, first}
}

// googleUsers gives every account a file as google-authenticator(1) writes it for counters, in its home folder, and a service.
func (p *place) googleUsers(service string) ([]*phone, error) {
	var phones []*phone
	for i := range accounts {
		d := peerPhone(i, 1)
		text := base32.StdEncoding.EncodeToString(d.params.Secret) + "\n\" HOTP_COUNTER 1\n"
		path := filepath.Join(p.home(i), ".google_authenticator")
		if err := os.WriteFile(path, []byte(text), 0o400); err != nil {
			return nil, err
		}
		if err := os.Chown(path, firstUID+i, 65534); err != nil {
			return nil, err
		}
		phones = append(phones, d)
	}
	return phones, p.service(service, "auth required pam_google_authenticator.so")
}

// oathUsers writes a file of n users for pam_oath, and a service that uses it.
func (p *place) oathUsers(service string, n int) ([]*phone, error) {
	var phones []*phone
	var lines strings.Builder
	for i := range n {
		d := peerPhone(i, 0)
		fmt.Fprintf(&lines, "HOTP %s - %s\n", d.user, hex.EncodeToString(d.params.Secret))
		if i < accounts {
			phones = append(phones, d)
		}
	}
	path := filepath.Join(p.dir, service+".users")
	if err := os.WriteFile(path, []byte(lines.String()), 0o600); err != nil {
		return nil, err
	}
	return phones, p.service(service, "auth required pam_oath.so window=10 digits=6 usersfile="+path)
}
