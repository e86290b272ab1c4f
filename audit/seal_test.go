package audit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"testing"
)

func TestASealIsHMACSHA256(t *testing.T) {
	var key sealingKey
	var h Hash
	for i := range 32 {
		key[i], h[i] = byte(i), byte(32+i)
	}
	// openssl dgst -sha256 -mac HMAC -macopt hexkey:000102…1f, of the bytes 32 to 63
	seal := key.seal(h)
	if got := hex.EncodeToString(seal[:]); got != "62215de7bddcea7e2c4047ff6bb94f8d18262fc8b3f3648134bb7d44158ff84d" {
		t.Error(got)
	}
	for range 1000 {
		key, h := sealingKey(random()), Hash(random())
		mac := hmac.New(sha256.New, key[:])
		mac.Write(h[:])
		if key.seal(h) != Hash(mac.Sum(nil)) {
			t.Fatalf("key %x, hash %x: %x", key, h, key.seal(h))
		}
	}
}
