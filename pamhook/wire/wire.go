// Package wire is the language that the PAM module and its helper speak: frames on one connected stream socket, one end of a pair
// when the module has started the helper, and a connection when systemd has. This
// comment is the specification; the module's C code and this package are tested with the same files of frames
// (testdata/frames).
//
// # Frames
//
// A frame is a type (one byte), the length of the payload (four bytes, big endian, at most 65536) and the payload. All numbers
// are big endian. A frame of an unknown type, in the wrong direction, longer than its type allows, or out of order ends the
// conversation: the module denies, the helper exits without a verdict, which denies too. There is no resynchronisation.
//
//	module to helper                        helper to module
//	0x01 HELLO      first, exactly once     0x81 PROMPT        answered by ANSWER or NO_ANSWER
//	0x02 ANSWER     to a PROMPT or a        0x82 INFO          not answered
//	0x03 NO_ANSWER    GET_AUTHTOK           0x83 LOOKUP_GROUP  answered by GROUP
//	0x04 GROUP      to a LOOKUP_GROUP       0x84 WAIT          not answered
//	                                        0x85 GET_AUTHTOK   answered by ANSWER or NO_ANSWER; authenticate only, at most once
//	                                        0x86 CUT_AUTHTOK   not answered; after an ANSWER to GET_AUTHTOK, at most once
//	                                        0xA1 ALLOW         last
//	                                        0xA2 DENY          last
//	                                        0xA3 IGNORE        last
//
// # HELLO
//
//	version  1 byte    2
//	nonce    16 bytes  random, new for each phase; the verdict repeats it
//	phase    1 byte    1 authenticate, 2 account, 3 open session
//	flags    2 bytes   1 decoy: a module line that asks and can only deny
//	                   2 after_password: the stack guarantees that a password was right
//	                   4 silent: the application asked for no messages (PAM_SILENT)
//	                   8 lookup_failed: the name service did not answer; this is not "no such user"
//	                   16 debug: the module's debug argument
//	                   32 item_too_long: something that belongs into the fields did not fit and is left out; the helper
//	                   records the refusal and sends no verdict but DENY; the module asks nobody (NO_ANSWER 1) and
//	                   denies whatever the verdict is
//	fields             each a tag (1 byte), a length (2 bytes) and a value; tags ascend, none twice
//
//	tag  name           value
//	1    user           PAM_USER as the application gave it; always there, but with item_too_long
//	2    name           the canonical name (pw_name); absent: no such user, or lookup_failed
//	3    uid            4 bytes; there when name is
//	4    gids           4 bytes for each group, the primary group first; there when name is, but with item_too_long
//	5    home           pw_dir
//	6    shell          pw_shell
//	7    service        PAM_SERVICE; always there, but with item_too_long
//	8    rhost          PAM_RHOST
//	9    ruser          PAM_RUSER
//	10   tty            PAM_TTY
//	11   ssh_auth_info  SSH_AUTH_INFO_0 of the PAM environment
//	12   caller_uid     4 bytes, the real uid of the application; always there
//	13   client         address and port of the socket on which the client is connected to the application, as in
//	                    192.0.2.7:50022 or [2001:db8::1]:50022; absent: none was found
//	14   config         the config= argument of the module line, an absolute path
//
// A value is at most 16384 bytes, without NUL. What is larger, or does not fit into the frame behind what stands before it, is
// left out with item_too_long.
//
// # Answers
//
// ANSWER carries what was typed, at most 1024 bytes without NUL; it may be empty and need not be UTF-8. NO_ANSWER carries one
// byte that says why there is none: 1 the conversation failed, 2 the answer was the password (PAM_AUTHTOK) again, which is never
// so for GET_AUTHTOK, 3 it was the text that sshd gives in place of an answer for a user whom it refuses, 4 it was longer than
// 1024 bytes, 5 the client has gone. After 1 or 5 nobody is asked any more, and the module denies whatever the verdict is.
// A conversation cannot be interrupted: when the helper's time is over while a question is open, it says what it has to say by INFO, and
// DENY, without an answer. The module, which cannot send it the answer any more, reads on and denies.
// GROUP carries one byte: 0 no such group, 1 not a member, 2 a member, 3 the name service did not answer.
//
// # The helper's frames
//
// PROMPT and INFO carry one byte and a text of at most 16384 bytes. The byte is, for PROMPT, 0 to hide the answer while it is
// typed and 1 to show it; for INFO 0 for information and 1 for an error. A text is UTF-8 without control characters (U+0000 to
// U+001F and U+007F to U+009F) other than newline; the module checks the control characters and leaves UTF-8 to the helper.
// LOOKUP_GROUP carries the group's name (1 to 256 bytes without NUL). WAIT carries two bytes, the number of seconds (1 to 90) for
// which the helper may now be silent; without it the module gives it 15.
//
// GET_AUTHTOK carries a text like PROMPT's, without the byte: for services with one field, into which password and code are
// typed together. The module calls pam_get_authtok, so that PAM_AUTHTOK is set for the modules behind it; where a module before
// it has set PAM_AUTHTOK the person sees no prompt and the answer is what is there. CUT_AUTHTOK carries two bytes, how many bytes
// the module cuts off the end of PAM_AUTHTOK; at least one byte is cut and one is left. They are cut when, and only when, the
// verdict is ALLOW and PAM_AUTHTOK still is what the answer was; the module denies when it is not, and leaves PAM_AUTHTOK whole
// with every other verdict. No password and no code ever travels from the helper to the module.
//
// A verdict carries the nonce of HELLO; ALLOW one more byte of flags: 1 the account phase has something to ask, and no other is
// set. IGNORE means that the user or the service is not subject to the policy; in the account phase it denies. A verdict
// counts only when it is complete and well formed, end of file follows it and the helper then exits with status 0, which only a helper
// that the module has started can show. The helper sends at most 1024 frames.
//
// # Who is at the other end
//
// Both ask the kernel (SO_PEERCRED, unix(7)). The module connects to no socket on which anybody but root listens. The helper believes
// HELLO when the other end is root. From anybody else it takes the nonce, the user, of whom he must prove to be that very one by his user
// id, the flags decoy, silent, debug and item_too_long, and the answers; the rest of HELLO and every GROUP come from a process of his own,
// and nothing is asked of it. Such a peer has the authenticate phase and no other.
//
// # Example
//
// Alice, uid 1000, logs in to sshd from 192.0.2.7 after her password was right; the helper asks for a code, gets 123456 and lets
// her in. Hexadecimal, one frame a line, spaces between its parts:
//
//	module 01 0000006a 02 000102030405060708090a0b0c0d0e0f 01 0002 01 0005 616c696365 02 0005 616c696365 03 0004 000003e8
//	  04 0008 000003e8 0000001b 05 000b 2f686f6d652f616c696365 06 0009 2f62696e2f62617368 07 0004 73736864
//	  08 0009 3139322e302e322e37 0c 0004 00000000
//	helper 81 00000007 00 436f64653a20
//	module 02 00000006 313233343536
//	helper a1 00000011 000102030405060708090a0b0c0d0e0f 00
//
// # Example of one field
//
// Bob, uid 1001, comes to an FTP server, which knows one field; the helper gets hunter2123456 and leaves hunter2 to the modules
// behind:
//
//	module 01 0000004a 02 000102030405060708090a0b0c0d0e0f 01 0000 01 0003 626f62 02 0003 626f62 03 0004 000003e9
//	  04 0004 000003e9 07 0006 767366747064 08 0009 3139322e302e322e37 0c 0004 00000000
//	helper 85 0000000a 50617373776f72643a20
//	module 02 0000000d 68756e74657232313233343536
//	helper 86 00000002 0006
//	helper a1 00000011 000102030405060708090a0b0c0d0e0f 00
//
// # Versions
//
// A module speaks one version. The helper speaks this version and the one before it (an application that has been running
// since before an upgrade has the old module in memory). A change to anything above is a new version. Version 1 is this one
// without GET_AUTHTOK, CUT_AUTHTOK and item_too_long: in its place the module denied without starting the helper.
package wire

import "errors"

// Version is the protocol version of this package; OldVersion is the one before it, which is still understood.
const (
	Version    = 2
	OldVersion = 1
)

// Limits of the protocol, in bytes unless the name says otherwise.
const (
	MaxPayload    = 65536
	MaxValue      = 16384 // a field of HELLO
	MaxAnswer     = 1024
	MaxText       = 16384
	MaxGroupName  = 256
	MaxWait       = 90   // seconds
	MaxFrames     = 1024 // frames from the helper in one run
	NonceSize     = 16
	headerSize    = 5
	helloFixed    = 1 + NonceSize + 1 + 2
	fieldOverhead = 3
)

// Type is the first byte of a frame.
type Type byte

// The frame types.
const (
	TypeHello       Type = 0x01
	TypeAnswer      Type = 0x02
	TypeNoAnswer    Type = 0x03
	TypeGroup       Type = 0x04
	TypePrompt      Type = 0x81
	TypeInfo        Type = 0x82
	TypeLookupGroup Type = 0x83
	TypeWait        Type = 0x84
	TypeGetAuthtok  Type = 0x85
	TypeCutAuthtok  Type = 0x86
	TypeAllow       Type = 0xA1
	TypeDeny        Type = 0xA2
	TypeIgnore      Type = 0xA3
)

// Phase is the PAM function on whose behalf the helper runs.
type Phase byte

// The phases.
const (
	PhaseAuthenticate Phase = 1
	PhaseAccount      Phase = 2
	PhaseOpenSession  Phase = 3
)

// Flags of HELLO.
type Flags uint16

// The flags of HELLO; see the package comment.
const (
	FlagDecoy         Flags = 1
	FlagAfterPassword Flags = 2
	FlagSilent        Flags = 4
	FlagLookupFailed  Flags = 8
	FlagDebug         Flags = 16
	FlagItemTooLong   Flags = 32 // the helper must deny: it does not know all that there is to know
	oldFlags                = FlagDecoy | FlagAfterPassword | FlagSilent | FlagLookupFailed | FlagDebug
	allFlags                = oldFlags | FlagItemTooLong
)

// NoAnswer says why a PROMPT or a GET_AUTHTOK has no answer.
type NoAnswer byte

// The reasons for which there is no answer.
const (
	ConversationFailed NoAnswer = 1
	AnswerIsPassword   NoAnswer = 2
	AnswerIsJunk       NoAnswer = 3
	AnswerTooLong      NoAnswer = 4
	ClientGone         NoAnswer = 5
)

// Membership is the answer to LOOKUP_GROUP.
type Membership byte

// The answers to LOOKUP_GROUP.
const (
	NoSuchGroup  Membership = 0
	NotMember    Membership = 1
	Member       Membership = 2
	LookupFailed Membership = 3
)

// Hello is what the module knows about one phase of one login.
type Hello struct {
	Version     byte // Version or OldVersion; Encode takes 0 for Version
	Nonce       [NonceSize]byte
	Phase       Phase
	Flags       Flags
	User        string   // PAM_USER; empty only with FlagItemTooLong
	Name        string   // canonical name; empty: unknown
	UID         uint32   // valid when Name is not empty
	GIDs        []uint32 // primary first; valid when Name is not empty; empty only with FlagItemTooLong
	Home        string
	Shell       string
	Service     string // empty only with FlagItemTooLong
	RHost       string
	RUser       string
	TTY         string
	SSHAuthInfo string
	CallerUID   uint32 // real uid of the application
	Client      string // address and port of the client's socket
	Config      string // config= of the module line
}

// Errors of the protocol. They carry no detail: whoever sends such frames is told nothing.
var (
	ErrFrame   = errors.New("wire: malformed frame")
	ErrHello   = errors.New("wire: malformed hello")
	ErrVersion = errors.New("wire: unknown protocol version")
	ErrOrder   = errors.New("wire: frame out of order")
	ErrText    = errors.New("wire: text that may not be sent")
	ErrFrames  = errors.New("wire: too many frames")
	ErrLate    = errors.New("wire: the time is over, and a question is open")
)
