package wire

import (
	"bytes"
	"testing"
)

// BenchmarkLogin is the helper's end of a login: HELLO, a group, a prompt, the verdict.
func BenchmarkLogin(b *testing.B) {
	payload, err := smallHello().Encode()
	if err != nil {
		b.Fatal(err)
	}
	said := frames(Frame{TypeHello, payload}, Frame{TypeGroup, []byte{byte(Member)}}, Frame{TypeAnswer, []byte("755224")})
	b.ReportAllocs()
	for b.Loop() {
		c, err := Accept(&pipe{Reader: bytes.NewReader(said)})
		if err != nil {
			b.Fatal(err)
		}
		if is, err := c.LookupGroup("wheel"); is != Member || err != nil {
			b.Fatal(is, err)
		}
		if typed, _, err := c.Prompt("Verification code: ", false); string(typed) != "755224" || err != nil {
			b.Fatal(typed, err)
		}
		if err := c.Finish(TypeAllow, false); err != nil {
			b.Fatal(err)
		}
	}
}
