package deliver

import "testing"

// BenchmarkRequest is a request at both ends: written by who asks for it, read by who sends it.
func BenchmarkRequest(b *testing.B) {
	for name, req := range map[string]*Request{"text": text(), "push": ntfy()} {
		line, err := req.Encode()
		if err != nil {
			b.Fatal(err)
		}
		b.Run("encode "+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := req.Encode(); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("decode "+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := DecodeRequest(line); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
