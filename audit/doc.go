// Package audit keeps the record of every login and every administrative act: one line of JSON each, chained by hashes and
// sealed with keys that are destroyed as they are used. Its duties are to add a record so that it is there when [Append]
// returns, to read records back ([Read], [Tail], [Parse]), and to tell whether anything has been changed since ([Verify]).
//
// # What it shows, and what it cannot
//
// A log consists of two files, both 0600 and of root: the log, audit.jsonl, which is only ever appended to (so that chattr +a
// can be set on it), and the head, audit.head, which says where the log ends. [Create] gives the verification key once; it
// belongs off the host. Who has it finds every change to what was written before a break-in, also when the intruder was root:
// the keys for those seals are no longer on the host. What an intruder who is root adds himself he can seal. Without the
// verification key Verify checks chain and head, which whoever can write both files can make fit. That a whole host was set
// back to an earlier disk image shows only against a [Checkpoint] kept elsewhere. On a disk that writes elsewhere when it
// overwrites (flash, copy on write) old keys can be recovered by whoever takes the disk apart.
//
// # The record
//
// One line of at most 131072 bytes, UTF-8, without spaces, ended by one newline. The fields stand in this order; those that are
// empty or zero are left out, except the first four. Names without "twokey." are those of the Elastic Common Schema.
//
//	@timestamp              UTC, 2006-01-02T15:04:05.000000000Z, always nine digits behind the point
//	event.sequence          1 for the first record, then one more each; a number
//	event.action            [a-z][a-z0-9-]*, at most 64 bytes
//	event.outcome           success, failure or unknown
//	event.reason
//	user.name, user.id      who acts: logs in, or runs an administrative command
//	user.target.name, user.target.id  the account that an administrative act is about
//	source.ip               of the client, if the source is an IP address in its canonical spelling without a zone,
//	source.address          else this
//	service.name            PAM service
//	process.pid             a number
//	host.name
//	twokey.user_hash        for a name that no account has: the first 16 bytes of HMAC-SHA256(name key,
//	                        "twokey unknown user 1\n" || name), base64url; the name itself is never written
//	twokey.user_length      of that name in bytes; a number
//	twokey.tty, twokey.device, twokey.method, twokey.second_factor, twokey.login_uid, twokey.sudo_user
//	twokey.changes          at most 16 objects {"field":…,"old":…,"new":…}
//	twokey.skipped_bytes    see below; a number
//	twokey.skipped_sha256   base64url
//	twokey.missing_records  see below; a number
//	twokey.previous_hash    base64url
//	twokey.…                at most 16 others: keys of [a-z_.], at most 64 bytes, none twice; empty ones are written
//	twokey.hash, twokey.seal  43 characters of base64url each
//
// What is not called a number is a text of at most 256 bytes. Bytes that are not UTF-8 are replaced by U+FFFD; a longer text is
// cut and ends in "…[N bytes]", N being the length that it had. '"' and '\' are escaped by '\'. These characters are written as
// \uXXXX, with small letters, above U+FFFF as two surrogates, and no others are: U+0000–1F, 7F–9F, AD, 61C, 180E, 200B–200F,
// 2028–202E, 2060–206F, FEFF, FFF9–FFFB, 1D173–1D17A, E0000–E0FFF. Numbers are decimal, from 1 to 2^53−1, without leading
// zeros. So every record has one spelling, and a reader accepts no other. Later versions may use further "twokey." fields among
// the last ones.
//
// # The chain and the seals
//
// The body of a record is its line from '{' up to and without `,"twokey.hash":`. hash_0 is 32 zero bytes, key_1 is random:
//
//	hash_n    = SHA-256("twokey audit 1\n" || hash_n-1 || body_n)
//	seal_n    = HMAC-SHA256(key_n, hash_n)
//	key_n+1   = SHA-256(key_n)
//
// base64url is that of RFC 4648 section 5, without padding and with zero bits at the end. The verification key is key_1,
// written as "TWOKEY-AUDIT-KEY-1" and seven groups of eight characters, each group after a '-': base32 (RFC 4648 section 6) of
// the 32 bytes and of the first three bytes of SHA-256("twokey audit key 1\n" || key_1).
//
// # The head
//
// A file of package slotfile, of the kind "audit". Its value has 152 bytes, numbers big endian:
//
//	offset 0    8 bytes   "audit 1\n"
//	offset 8    8 bytes   sequence n of the last record, 0 for none
//	offset 16   8 bytes   where that record ends in the log, its newline included
//	offset 24   32 bytes  hash_n
//	offset 56   32 bytes  key_n+1, with which the next record is sealed
//	offset 88   32 bytes  the name key, random, for twokey.user_hash
//	offset 120  8 bytes   the minute in which refusals are being counted, since 1970
//	offset 128  4 bytes   refusals in that minute, up to 100
//	offset 132  4 bytes   refusals beyond those, which have no record
//	offset 136  8 bytes   when the first of these was, nanoseconds since 1970
//	offset 144  8 bytes   when the last of these was
//
// It is read and written under the file's lock, which also protects the log. Both slots get every new value, so that no slot
// keeps key_n once record n is written.
//
// # Appending, and what can come in between
//
// The record is written with one write(2) and synchronised, then the head is. So after a crash or a power failure the log can
// be *ahead* of the head: the next writer adopts the records behind the head one after the other, if number, chain and seal are
// right. What then stands behind the last good record is a *torn tail*. It is never cut off: that would free the space that is
// reserved behind the end. If its last byte is not a newline the next write begins with "~\n". The next record has in
// twokey.skipped_bytes the number of bytes between the last good record and its own line (with that mark), and in
// twokey.skipped_sha256 their SHA-256. Verify accepts bytes that are not a record only when the next record names exactly them.
//
// A head that is ahead of the log, or whose record is not where it says, means that records were lost or taken away. Logins go
// on (or one rm would lock everybody out), but never in silence: the next record goes on behind the head's hash, which it has
// in twokey.previous_hash, since Verify can no longer compute it, and says in twokey.missing_records how many are gone. Verify
// names that loss for ever. Without a head, nothing can be appended until [Restart].
//
// Of refused logins (action login, outcome failure) only the first 100 of a minute are recorded. The next record of a later
// minute stands behind one with the action refusals-summed, in the same write, which has the number of the others
// (twokey.refusals) and the times of the first and the last of them (twokey.first, twokey.last).
//
// # Example
//
// Two records, each broken here into several lines; key_1 is the bytes 0 to 31, the name key the bytes 32 to 63, the unknown
// name "hunter2". The verification key is
//
//	TWOKEY-AUDIT-KEY-1-AAAQEAYE-AUDAOCAJ-BIFQYDIO-B4IBCEQT-CQKRMFYY-DENBWHA5-DYPQPJL7
//
// and the log
//
//	{"@timestamp":"2026-11-21T18:24:55.123456789Z","event.sequence":1,"event.action":"login","event.outcome":"failure",
//	"event.reason":"no such user","source.ip":"192.0.2.7","service.name":"sshd","process.pid":4711,"host.name":"web1",
//	"twokey.user_hash":"j41uNwDCt3DsT3VpF6V7fQ","twokey.user_length":7,"twokey.tty":"ssh",
//	"twokey.hash":"ucRhxC1KNHZUFOE7Kufz9osHb3fCYkoxKO8yMyhOLxs","twokey.seal":"YFwwkgP2rbX1pguTxcOJPhID8xMNvn2B8dtFrQUrt1k"}
//	{"@timestamp":"2026-11-21T18:26:35.123456789Z","event.sequence":2,"event.action":"policy-require","event.outcome":"success",
//	"user.name":"root","user.id":"0","process.pid":4712,"host.name":"web1",
//	"twokey.tty":"pts/0","twokey.login_uid":"1000","twokey.sudo_user":"bob",
//	"twokey.changes":[{"field":"require","old":"","new":"group wheel\u001b[2J"}],
//	"twokey.hash":"eWnFCiI1ThyDtRiUd9B6rmUO642l94ai8HLWpdLj9FQ","twokey.seal":"TZunq8Fx4pAVMHaiCdGqqxJ8ByUGGtMUzUXiobGn0GI"}
package audit
