package factor_test

import (
	"fmt"
	"time"

	"twokey/factor"
)

// The device of the RFCs' test vectors, 59 seconds after the beginning of 1970.
func ExampleParams_MatchTOTP() {
	device := factor.Params{
		Method: factor.TOTP, Secret: []byte("12345678901234567890"), Digits: 8, Period: 30, Algorithm: factor.SHA1,
	}
	now := time.Unix(59, 0)
	first := device.MatchTOTP("94287082", now, 1, 0)
	again := device.MatchTOTP("94287082", now, 1, first.Counter)
	fmt.Printf("%+v\n%+v\n", first, again)
	// Output:
	// {OK:true Replayed:false Counter:1}
	// {OK:false Replayed:true Counter:0}
}

// The recovery code and its hash of the package comment.
func ExampleHashRecovery() {
	var key [32]byte
	for i := range key {
		key[i] = byte(i)
	}
	hash, err := factor.HashRecovery(key, "7K3F 9qxz Om2t")
	fmt.Printf("%x %v\n", hash, err)
	// Output:
	// ae2aba015e85aecb45116c5a7c266994 <nil>
}

// The address of the package comment.
func ExampleURI() {
	device := factor.Params{
		Method: factor.TOTP, Secret: []byte("12345678901234567890"), Digits: 6, Period: 30, Algorithm: factor.SHA1,
	}
	fmt.Println(factor.URI("alice@web1", "Müller & Co", device, 0))
	// Output:
	// otpauth://totp/M%C3%BCller%20%26%20Co:alice@web1?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=M%C3%BCller%20%26%20Co <nil>
}

// What is sent to a phone, of the package comment.
func ExampleHashChallenge() {
	var secret [32]byte
	var id, connection [8]byte
	for i := range secret {
		secret[i] = byte(i)
	}
	for i := range id {
		id[i], connection[i] = byte(0xd1+i), byte(0xc1+i)
	}
	fmt.Printf("%x\n", factor.HashChallenge(secret[:], id, connection, "192.0.2.7", "048151"))
	fmt.Println(factor.PushMAC(secret[:], id, "42"))
	fmt.Println(factor.NtfyTopic(secret[:]))
	fmt.Printf("%x\n", factor.PhoneMark(secret[:], "+442079460958"))
	// Output:
	// 6de309ddbbe9b43e2c8ff63b915a906c
	// dfc102ec52c6fd13ac62bffee663a0c4
	// tk-5cxolwifeonrkv4225u3bennirjfi2n2
	// 118f12d2ac0080e0
}
