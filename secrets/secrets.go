// Package secrets keeps what makes users' codes: one file a user, encrypted to the host's age key.
//
// Encrypting needs only the host's public recipient, so a management workstation can make a host's files without being able to
// read them. It protects every copy that does not contain the host key: backups, provisioning files, git. It does not
// protect against root on the running host.
//
// # Files
//
// users/NAME.age holds one user; NAME is safefile.UserFileName of the canonical user name. It is a binary age file
// (https://age-encryption.org/v1) of at most 128 KiB, mode 0600. The host key is an age identity file: one line that begins with
// AGE-SECRET-KEY-1, empty lines and lines that begin with '#'.
//
// # Content
//
// Inside the encryption stands
//
//	twokey user 1
//	<the record, JSON on one line>
//	mac <43 characters>
//
// each line ended by a line feed, nothing after it. The last line is an HMAC-SHA256 over all bytes before it, in unpadded
// standard base64, since age does not say who wrote a file and anybody knows the recipient. Its key is HKDF-SHA256 (RFC 5869) of
// the host key's text, without salt, with the info "twokey user file 1". A last line that begins with "sig " is reserved
// for files that were signed elsewhere, and refused by this version with an error of its own.
//
// The record has these fields, in this order, each present; every record has one spelling, any other is refused:
//
//	user       the canonical user name, which must be the file's
//	serial     a number that tells a newer file from an older one: not below the milliseconds since 1970 when it was written,
//	           and above that of the file before; a user who was taken out and enrolled again has a higher one than before
//	devices    0 to 10 of:
//	             id         16 hexadecimal digits, random, never used for another device
//	             name       1 to 32 bytes of printable UTF-8, unique for the user
//	             method     "totp" or "hotp"
//	             secret     10 to 128 bytes, base64
//	             digits     4 to 12
//	             period     seconds, 10 to 300; 0 for hotp
//	             algorithm  "SHA1", "SHA256" or "SHA512"
//	             counter    of hotp: the first that is good
//	             issuer     what the app shows, up to 256 bytes
//	             label      likewise
//	             created    RFC 3339, UTC, whole seconds
//	recovery   null, or the recovery codes:
//	             id      16 hexadecimal digits, random, new for each set
//	             key     32 random bytes, base64: the hashes are keyed with it, and it belongs to this set alone, so that a
//	                     machine without the host key can make them
//	             hashes  1 to 20 of 16 bytes, base64
//
// Base64 here is standard with padding, as encoding/json writes it.
package secrets

import (
	"errors"
	"time"
)

// Limits.
const (
	MaxDevices       = 10
	MaxRecoveryCodes = 20
	maxName          = 32  // bytes
	maxText          = 256 // bytes, issuer and label
	minSecret        = 10  // bytes
	maxSecret        = 128
	maxPlaintext     = 64 << 10
	maxFile          = 128 << 10
)

// The reasons for which a file is refused, beside those of safefile. Each of them denies a login.
var (
	ErrCorrupt   = errors.New("secret file is damaged")
	ErrWrongKey  = errors.New("secret file is encrypted to another host key")
	ErrWrongUser = errors.New("secret file belongs to another user")
	ErrMAC       = errors.New("secret file was not written on this host")
	ErrSigned    = errors.New("signed secret files are not accepted by this version")
)

// ID identifies a device or a set of recovery codes.
type ID [8]byte

// Record is what is kept about one user. It is never printed: see Format.
type Record struct {
	User     string
	Serial   uint64
	Devices  []Device
	Recovery *Recovery // nil: none
}

// Device makes codes.
type Device struct {
	ID        ID
	Name      string
	Method    string // "totp", "hotp"
	Secret    []byte
	Digits    int    // 4 to 12
	Period    int    // seconds; 0 for hotp
	Algorithm string // "SHA1", "SHA256", "SHA512"
	Counter   uint64 // hotp: the first that is good
	Issuer    string
	Label     string
	Created   time.Time // UTC, whole seconds
}

// Recovery is a set of recovery codes, as keyed hashes.
type Recovery struct {
	ID     ID
	Key    [32]byte
	Hashes [][16]byte
}

// NextSerial is the serial of a file that takes the place of one with the serial previous (0: there was none).
func NextSerial(previous uint64, now time.Time) uint64 {
	return max(previous+1, uint64(max(0, now.UnixMilli())))
}
