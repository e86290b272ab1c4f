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
