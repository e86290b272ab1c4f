// Package batch gives many users a second factor at once: it reads a file that says what they shall have, finds out what of it they
// have not, and makes it so. A second time changes nothing.
//
// # YAML
//
//	version: 1
//	users:
//	- user: alice
//	  phone: +442079460958
//	  recovery_codes: 10
//	  devices:
//	  - name: phone
//	    secret: GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ
//	  - name: token
//	    method: hotp
//	    digits: 8
//	    until: 2027-06-30
//	- user: bob
//	- user: carol
//	  present: false
//	groups:
//	- group: staff
//	  require: {by: 2026-12-31}
//	  device: {name: phone}
//
// Alice gets two devices, Bob one of the usual kind, Carol loses what she has, and whoever is in staff gets one and is required to
// have it. A file is a list of users, a list of groups, or both, behind the version. It is written in blocks: each entry begins on a
// line of its own with a hyphen, all of a list with the same indentation; inside an entry any YAML may stand but anchors, aliases and
// tags. Values are taken as they are written, whatever YAML makes of them: a user who is called on, or 007, needs no quotation marks.
//
// A user has
//
//	user            the name, as the name service spells it
//	present         true (this if it is not given) or false: every device goes, and every entry of the policy that names him
//	phone           E.164, or none
//	recovery_codes  0 to 20: so many are made for who has none. If it is not given, 10 with the first device
//	devices         one or more; not given: one of the usual kind, for who has none; []: nothing is made for him
//	require         {by, starts, until}, days, each of which may be left out: an entry of the policy
//	exempt          {until}: likewise. Not together with require
//
// A device has
//
//	name       1 to 32 bytes of printable UTF-8; phone if it is not given
//	present    true or false
//	secret     base32, of 16 to 128 bytes, with --allow-short from 10 bytes on; with spaces, hyphens or padding, in any case
//	method     totp or hotp; sms or push, to which codes or requests are sent: of each a user has one, sms needs his phone, and neither
//	           has any of the next four, nor a secret
//	digits     4 to 12
//	period     10 to 300 seconds: 30s or 30; not for hotp
//	algorithm  SHA1, SHA256 or SHA512, in any spelling of these
//	counter    hotp: the next one, up to 2^53-1
//	issuer     what the app shows above the code, up to 128 bytes, no colon
//	label      what it shows below, up to 256 bytes
//	provider   of push, ntfy or duo: with whom the phone is linked; that of this host if it is not given
//	until      the last day on which it is good, or a moment in RFC 3339, or never. One that is over is refused, unless it is that of a
//	           device that is there
//
// A group has group, present (false: no entry of the policy names it), require, exempt, and device: what every member has whom the
// file does not name as a user.
//
// What is not given is left alone: no device goes because a file does not name it, no phone number, no entry of the policy. A device
// whose method, digits, period, algorithm, provider or secret are others than given is replaced by a new one, which is another secret, unless
// one is given; counter, issuer and label are for the moment when it is made.
//
// # CSV
//
//	user,device,method,secret,until,phone
//	alice,phone,,GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ,,+442079460958
//	alice,token,hotp,,2027-06-30,
//	bob,,,,,
//
// As RFC 4180 has it, separated by commas, with a header, lines ended in either way, no line break inside a field. The columns are
// user, present, phone, recovery_codes, device, device_present, secret, method, digits, period, algorithm, counter, issuer, label,
// until and provider, in any order, only those that are needed; user must be there. An empty field is not given. A user with several devices has
// several lines, at most 100; what is about himself must stand in the first of them and may be repeated. A byte order mark is passed over. There
// are no groups. An apostrophe before what a spreadsheet would take for a formula is not of the value, as package csvcell says: so is
// written what users have called their devices.
//
// # What is refused
//
// The whole file: more than 64 MiB, invalid UTF-8, a line of more than 64 KiB, another version, another column, an unknown list, text
// outside of a list. One row: a field that is unknown, twice there or out of range, days in an order in which one
// of them does nothing, a user, group or device that is there twice (both rows are: which one was meant cannot be told). The others are
// done. Every error names file and line, none of them a secret; what is wrong with a device has the line of the device.
package batch
