// Package secrets keeps what makes users' codes: one file a user, encrypted to the host's age key.
//
// Encrypting needs only the host's public recipient, so a management workstation can make a host's files without being able to
// read them. It protects every copy that does not contain the host key: backups, provisioning files, git. It does not
// protect against root on the running host. What changes with every login (steps, recovery codes that were used) is not here: an
// older file that comes back with a backup must not bring that back.
//
// What it must and must not do, each with a test of the same name:
//
//   - MUST refuse a file that was neither made with the host key nor signed for this host by a key that it trusts: age lets anybody
//     encrypt who knows the recipient.
//   - MUST refuse another user's file that was copied over this one.
//   - MUST refuse a file that is truncated, changed or continued in any place, and return nothing of it.
//   - MUST accept one spelling of each record only, and no field that this version does not know.
//   - MUST NOT take anything but a missing file for a user who is not enrolled; not a missing host key either.
//   - MUST NOT spend memory or time on a file of any size, or on a passphrase.
//   - MUST leave the old file whole when the new one cannot be written, and at a crash the old or the new one.
//   - MUST NOT replace a host key.
//   - MUST give a file a higher serial than any older file of the user has.
//   - MUST NOT trust a key with which anybody signs.
//   - MUST NOT show a secret in an error or when a value is printed.
//   - MUST NOT take a note for one of another purpose, or for a user's file.
//
// # Files
//
// users/NAME.age holds one user; NAME is safefile.UserFileName of the canonical user name. It is a binary age file
// (https://age-encryption.org/v1) of at most 64 KiB, mode 0600. One of its recipients is the host's; there may be others, such as
// a key for emergencies. users/%decoy.age is nobody's: see [Store.CreateDecoy].
//
// The host key is an age identity file as age-keygen(1) writes it: one line that begins with AGE-SECRET-KEY-1 and is an X25519
// identity, empty lines, and lines that begin with '#'.
//
// # Content
//
// Inside the encryption stand three lines, each ended by a line feed, and nothing behind them. With the host key
//
//	AGE-SECRET-KEY-1QQQSYQCYQ5RQWZQFPG9SCRGWPUGPZYSNZS23V9CCRYDPK8QARC0SWRYDWG
//
// a file has this content (its second line is broken here, at the backslashes, which are not in the file):
//
//	twokey user 2
//	{"user":"alice","serial":1767323045000,"phone":"+442079460958","phone_confirmed":true,"devices":[{\
//	"id":"0001020304050607","name":"phone","method":"totp","secret":"MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=","digits":6,"period":30,\
//	"algorithm":"SHA1","counter":0,"issuer":"Example Ltd","label":"alice@web1","created":"2026-01-02T03:04:05Z",\
//	"until":"2027-06-30T22:00:00Z"}],"recovery":{"id":"08090a0b0c0d0e0f",\
//	"key":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=","hashes":["W31Uqvbd2OO+0+SaEObR2A=="]}}
//	mac o5sLNQCot96ldD76uIcpCWiZDpBKQOK/JFq2BVAevBk
//
// The first line is the version of the format. The last one is an HMAC-SHA256 over all bytes before it, in standard base64
// without padding, always 43 characters. Its key is HKDF-SHA256 (RFC 5869) of the host key's line (74 characters, no line
// feed), without salt, with the info "twokey user file 1", 32 bytes.
//
// A file that was made elsewhere, where the host key is not, has a signature as its last line instead. It is taken if the host's
// configuration names the key among its provisioners, and until this host writes the file anew:
//
//	sig 65b60673d6ed884b \
//	YhziTeubanjsNB+SkzY65j9KPsaREw4i7icCjG6gjD9phfM19Dyauf6y7wrTH1baRQRuHy0VoCgByhUnB6OmAg
//
// Behind "sig " stand the first 8 bytes of the SHA-256 of the public key, in 16 hexadecimal digits, and, after a space, a signature
// (Ed25519, RFC 8032) in standard base64 without padding, always 86 characters. It is over the line "twokey user file signature 1",
// the host's recipient and a line feed, and all bytes of the file before its last line: the name and the serial are inside that, and
// a host that can read its own file cannot pass it on to another. This one is of the record above, for this recipient and with the
// key below:
//
//	age13aqvttdk3ujkyjh9kg2w5an6dmy5mq5a84a4uxk3hfhnugfc9p0sy5p2wh
//	twokey-signing-key1AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA
//	twokey-signer1ebVWLo_mVPlAeLES6KmLp5AfhTrmlb7X4OORC60ElmQ
//
// The file of a signing key has, beside empty lines and lines that begin with '#', one line: "twokey-signing-key1" and the 32 bytes
// of the private key in base64 of the URL alphabet without padding. Hosts have the public key in the same way, behind
// "twokey-signer1"; a point of small order, for which anybody makes signatures, is none.
//
// The record is JSON without white space. It has these fields, in this order, each of them always there but provider:
//
//	user       the canonical user name, which must be the file's; 1 to 256 bytes of printable UTF-8
//	serial     1 to 2^53-1; tells a newer file from an older one: not below the milliseconds since 1970 when it was written, and
//	           above that of the file before
//	phone      "", or a phone number as ITU-T E.164 has it: a plus sign and 7 to 15 digits, the first not 0
//	phone_confirmed
//	           true when a code that was sent to the number has come back; false without a number
//	devices    an array of 0 to 10:
//	             id         16 hexadecimal digits, small letters, random, not all 0; never used for another device
//	             name       1 to 32 bytes of printable UTF-8, unique for the user
//	             method     "totp" or "hotp"; "sms" or "push", each once at most, and "sms" only beside a phone number
//	             secret     10 to 128 bytes in base64; of sms and push 32 random bytes
//	             digits     4 to 12; 0 for sms and push
//	             period     seconds, 10 to 300; 0 for all but totp
//	             algorithm  "SHA1", "SHA256" or "SHA512"; "" for sms and push
//	             counter    of hotp, the first that is good, up to 2^53-1; 0 for all others
//	             issuer     what the app shows, up to 256 bytes of printable UTF-8
//	             label      likewise
//	             created    RFC 3339 in UTC and whole seconds, as above; from 1970 to 9999
//	             until      "" or, likewise, the first moment at which the device counts no more
//	             provider   of push alone, and left out where it is not known: the service with which the phone was linked, "ntfy" or "duo",
//	                        1 to 12 letters a to z. The name that a user has with one says nothing about who has it with another
//	recovery   null, or the recovery codes:
//	             id      as that of a device, new for each set
//	             key     32 random bytes in base64, not all 0: the hashes are keyed with it. It belongs to this set alone, so that a
//	                     machine without the host key can make a set
//	             hashes  an array of 1 to 20, each 16 bytes in base64
//
// Base64 in the record is standard with padding. Numbers are decimal integers. In text only the quotation mark and the backslash are
// escaped, by a backslash; all other characters stand for themselves. Printable is what Go's unicode.IsPrint says: letters,
// marks, numbers, punctuation, symbols and the ASCII space; nothing that moves a cursor or turns the direction of writing.
//
// Version 1, whose first line is "twokey user 1", has neither phone, phone_confirmed nor until, nor devices of sms and push. It is read
// and not written. A later version may add fields: it will write another first line then, and still read these.
//
// # Notes
//
// Another package keeps a secret of its own in a note of up to 2048 bytes: a binary age file to the host's recipient, inside which
// stand the line "twokey note 1", the bytes, and their HMAC-SHA256, 32 bytes. The HMAC is over all that stands before it. Its key is
// HKDF-SHA256 of the host key's line, without salt, with the info "twokey note 1 " and the purpose of the note, 32 bytes. A note for
// the purpose "example" that says "hello" has these bytes, in hexadecimal, with the key above:
//
//	74776f6b6579206e6f746520310a 68656c6c6f \
//	b6e256832f2d4a01b89e46e611191bdd8d88ac89ae100dae6e8ff16d05590fee
package secrets

import "errors"

// Limits of a record.
const (
	MaxDevices       = 10
	MaxRecoveryCodes = 20

	// PhoneSecret is the size of the secret of a device of sms or push, in bytes.
	PhoneSecret = 32

	maxName     = 32  // bytes
	maxProvider = 12  // letters
	maxText     = 256 // bytes
	minSecret   = 10  // bytes
	maxSecret   = 128 // bytes
	maxNumber   = 1<<53 - 1

	maxFile = 64 << 10 // bytes; the fullest record makes one of 20 KiB
)

// The reasons for which a file is refused, beside those of safefile. Each of them denies a login.
var (
	ErrCorrupt   = errors.New("secret file is damaged")
	ErrVersion   = errors.New("secret file is of another version")
	ErrWrongKey  = errors.New("secret file is encrypted to another host key")
	ErrWrongUser = errors.New("secret file belongs to another user")
	ErrMAC       = errors.New("secret file was not written on this host")
	ErrSigner    = errors.New("secret file is signed by a key that is not among the provisioners of the configuration")
	ErrSignature = errors.New("secret file is signed for another host, or was changed")
)
