package main

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"twokey/internal/mail"
	"twokey/policy"
)

// mailAddresses are what somebody might write into the configuration, and with each sign of ASCII at four places.
func mailAddresses() []string {
	all := []string{
		"twokey@example.org", "root@localhost", "eva.x+2fa@mail.example.org", "o'brien@example.org", "-x@example.org", "a@b",
		strings.Repeat("a", 242) + "@example.org", strings.Repeat("a", 243) + "@example.org",
		"", "@", "a", "a@", "@b", "a@b@c", "a@@b", ".a@b", "a.@b", "a..b@c", "a@.b", "a@b.", "a@b..c", ".@b", "a@.",
		"jörg@example.org", "a@exämple.org", "a@пример.рф", "a\u00a0b@c", "a\u200b@c", "a@b\xff", "a@\ufeffb", "\uff41@b", "a\uff20b",
		"Eva <a@b>", "<a@b>", `"a b"@c`, `"a"@c`, `a\@b@c`, "a@b (Eva)", "a(Eva)@b", "a@[127.0.0.1]", "a@[IPv6:::1]", "@x:a@b", "g: a@b;", "a@b, c@d", "a@b\r\nBcc: c@d",
		"a@b\x00", "=?utf-8?q?a?=@b", "a@127.0.0.1", "a@b:25", "postmaster",
	}
	for c := range 128 {
		all = append(all, fmt.Sprintf("a%cb@c", c), fmt.Sprintf("%ca@c", c), fmt.Sprintf("a@b%cc", c), fmt.Sprintf("a@c%c", c))
	}
	return all
}

// What "policy check" finds nothing wrong with must not be refused by the first mail that is sent.
func TestThePolicyTakesTheAddressesThatMailIsSentWith(t *testing.T) {
	good := 0
	for _, address := range mailAddresses() {
		_, err := policy.Parse([]byte("version: 1\nmail: {to: '%USER%@example.org', from: " + strconv.QuoteToASCII(address) + "}\n"))
		sent := mail.CheckAddress(address)
		if (err == nil) != (sent == nil) {
			t.Errorf("%+q: the policy says %v, the mail %v", address, err, sent)
		}
		if err == nil {
			good++
		}
		to := strings.Replace(address, "a", "%USER%", 1)
		_, err = policy.Parse([]byte("version: 1\nmail: {from: a@b, to: " + strconv.QuoteToASCII(to) + "}\n"))
		if sent := mail.CheckAddress(to); strings.Count(to, "%") == 2 && (err == nil) != (sent == nil) {
			t.Errorf("%+q: the policy says %v, the mail %v", to, err, sent)
		}
	}
	if good < 300 {
		t.Errorf("%d addresses are good: this compares little", good)
	}
}
