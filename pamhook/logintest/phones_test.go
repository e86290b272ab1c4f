package logintest

import (
	"testing"

	"twokey/enroll"
)

// somePhones are a host's ways to phones of which nobody in these tests goes any.
const somePhones = `methods: [totp, hotp, push, sms, recovery]
push: {provider: ntfy, url: "http://127.0.0.1:9", token_file: none}
sms: {provider: command, command: [/bin/false]}`

const duoPhones = `methods: [totp, hotp, push, recovery]
push: {provider: duo, api_host: api-12345678.duosecurity.com, integration_key: DIXXXXXXXXXXXXXXXXXX, secret_key_file: none}`

// phonesOf gives a user devices of push and sms beside his own.
func phonesOf(user string, id uint32) func(*testing.T, *host, *enroll.Draft) {
	return func(_ *testing.T, h *host, _ *enroll.Draft) {
		// Before the first phone of a host nobody's messages are looked for.
		h.EnrolPhone(user, id, "push", "")
		h.EnrolPhone(user, id, "sms", "+447911123456")
	}
}
