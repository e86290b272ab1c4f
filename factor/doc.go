// Package factor is the mathematics of a code: what a device would show, whether an answer is one of the codes that are
// acceptable now, how much a guess is worth, and how a device's parameters and recovery codes are spelled. It is pure:
// no files, no network, no clock (the time is an argument), no state. The caller keeps the counter, under a lock.
//
// Where things are:
//
//	params.go    Params: what a device needs to make a code, its ranges, Code and Step
//	match.go     the Match functions: is this answer acceptable, and what does it use up
//	throttle.go  Cost and PairCost: what one answer costs the throttle
//	answer.go    ParseAnswer: what someone typed at the prompt
//	appended.go  SplitAppended: the code behind a password in one field
//	offset.go    Offset: by how much a clock must be wrong for an answer to be right
//	recovery.go  recovery codes: drawing, spelling, hashing, finding
//	challenge.go what is sent to a phone: codes, numbers to match, and what answers are known by
//	secret.go    shared secrets in base32, as people paste and read them
//	uri.go       otpauth:// addresses
//
// # Codes
//
// A code is RFC 4226 HOTP (section 5.3) with HMAC-SHA-1, HMAC-SHA-256 or HMAC-SHA-512 over an 8-byte counter, 4 to 12
// digits. TOTP (RFC 6238) is the same with the counter floor(unix time / period), the step. The truncated value has 31
// bits, so a code of 11 or 12 digits begins with zeros and none of more than 9 digits is much harder to guess than one
// of 9.
//
// # What an accepted answer uses up
//
// The caller keeps one number for each device: the highest step consumed (TOTP) or the next acceptable counter (HOTP),
// and replaces it by [Match].Counter, or Counter+1, before it lets anyone in. Two rules make a code usable once:
//
//   - Only counters above the highest consumed one are acceptable. So none is accepted twice, and a clock that is set
//     back opens nothing again.
//   - When an answer equals the codes of several acceptable counters, the highest is consumed. Were it the lowest or the
//     nearest, the same string could be typed again at once and be accepted for the next of them.
//
// So an accepted answer is dead for as long as the window stands where it is, or is set back. When it has moved on, the
// string can come again only as the code of a later counter: one chance in 10^digits for each, as for any guess.
//
// The second rule has a price: it closes the steps up to that coincidence. At 6 digits and a discrepancy of 1 this
// happens once in a million answers and costs at most a minute. With 4 digits and a discrepancy of 480 it is one answer
// in twenty, and up to four hours: such windows are for hosts that cannot keep time, and want long codes.
//
// Step 0 (before 1970 plus one period) is never acceptable, since 0 stands for "none consumed"; neither is the counter
// 2⁶⁴−1, since there would be no next one.
//
// # Recovery codes
//
// A recovery code is 60 random bits in twelve characters of five bits each, written xxxx-xxxx-xxxx:
//
//	0123456789abcdefghjkmnpqrstvwxyz
//
// (the 32 characters without i, l, o and u). At least one is a letter: twelve digits would be read as two codes of six.
// People may type capitals, leave out hyphens, add spaces, and write o for 0 and i or l for 1. What is kept is the first
// 16 bytes of
//
//	HMAC-SHA-256(key, "twokey recovery code 1\x00" + canonical spelling, 14 bytes)
//
// For the key of 32 bytes 00 01 02 … 1f the code 7k3f-9qxz-0m2t has the hash
//
//	ae2aba015e85aecb45116c5a7c266994
//
// # What is sent to a phone
//
// A code that is sent is 6 to 10 random digits. What is kept of it is the first 16 bytes of the first of these; the answer to a push
// carries the first 16 bytes of the second, in hexadecimal; the topic of ntfy to which a phone listens is "tk-" and the first 20
// bytes of the third, in base32 of small letters without padding; and that a number is confirmed is said by the first 8 of the last:
//
//	HMAC-SHA-256(secret, "twokey text code 1\x00" + id + connection + length of source + source + code)
//	HMAC-SHA-256(key, "twokey push 1\x00" + id + choice)
//	HMAC-SHA-256(secret, "twokey ntfy topic 1")
//	HMAC-SHA-256(secret, "twokey phone 1" + number)
//
// The secret is that of the user's device of sms or push, the key is made for each push; id and connection have 8 bytes, the length
// 4, big endian. With the secret and key 00 01 02 … 1f, the id d1 d2 … d8, the connection c1 c2 … c8, the source 192.0.2.7, the code
// 048151, the choice 42 and the number +442079460958 they are
//
//	6de309ddbbe9b43e2c8ff63b915a906c
//	dfc102ec52c6fd13ac62bffee663a0c4
//	tk-5cxolwifeonrkv4225u3bennirjfi2n2
//	118f12d2ac0080e0
//
// # Addresses
//
// An otpauth:// address is what the QR code of an enrolment says, after the Key URI format of the google-authenticator
// wiki. The canonical form, which [URI] writes:
//
//	otpauth:// METHOD / [ISSUER :] ACCOUNT ?secret= BASE32 [&issuer= ISSUER]
//	    [&algorithm= SHA256|SHA512] [&digits= N] [&period= N] [&counter= N]
//
// in this order, on one line and without the spaces. BASE32 is upper case without padding. What has its usual value
// (SHA1, 6 digits, 30 seconds) is left out, so that the QR code stays small; counter is there for hotp, always, and only
// there. ISSUER and ACCOUNT are UTF-8 of at most 128 and 256 bytes, every character graphic (no control, no direction
// marks); every byte outside A-Z a-z 0-9 - . _ ~ @ is percent-encoded, a space as %20. An account has no colon, so the
// last colon of the label always ends the issuer, encoded or not. For example
//
//	otpauth://totp/M%C3%BCller%20%26%20Co:alice@web1?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=M%C3%BCller%20%26%20Co
//
// is account alice@web1 of issuer “Müller & Co”, the secret of the RFCs, and everything else as usual. [ParseURI] reads
// this and the spellings that other programs write, and refuses whatever could mean another code.
package factor
