// Package deliver is how the rest of twokey has something sent to a phone: it starts twokey-notify, hands it one request and reads
// what it says. It opens no network connection and links no package that could; the clients of the services are in deliver/provider,
// which only twokey-notify links.
//
// # One message, one process
//
// twokey-notify is started as the system user [User], with an empty environment, no groups, no capability, a session of its own and
// three descriptors: it reads the request on 0, writes answers on 1, and 2 is /dev/null. What it needs to know, credentials too, stands in the
// request: nothing is on its command line, in its environment or in a file. The end of descriptor 0 tells it that nobody waits any more,
// also when whoever has started it was killed. It ends by itself when the times of the request are over.
//
// # The format
//
// A request is one line of JSON (RFC 8259) with its line feed, at most [MaxLine] bytes; so is each answer. The fields stand in the order of
// [Request] and [Answer], empty ones are left out, durations are nanoseconds; there is one spelling for each request: a line that would be
// written in another way is refused. A request:
//
//	{"kind":"text","connect":3000000000,"timeout":8000000000,"text":{"number":"+15005550006","message":"Your code is: 123456"},"command":{"argv":["/usr/local/bin/send-text"]}}
//
// Exactly one of twilio, command, smtp, ntfy and duo stands there and is the provider; with the kind "describe" none does. Answers to a
// push, one when the message is with the provider, and the last:
//
//	{"state":"sent"}
//	{"state":"failed","problem":"timeout","detail":"no answer from the server in time"}
//
// What may follow what:
//
//	text                      sent | failed
//	push                      sent forged* (allow | deny | wrong | timeout | failed) | failed | allow | deny
//	account, describe, check  ok | failed
package deliver
