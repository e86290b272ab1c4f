package messenger

import "testing"

// BenchmarkRequest is what a login costs here that sends something: the credential file is read each time.
func BenchmarkRequest(b *testing.B) {
	texts, pushes := settings(b, twilio), settings(b, ntfy)
	for name, make := range map[string]func() error{
		"text": func() error {
			_, err := texts.Text(Text{User: "alice", Number: "+447911123456", Code: "123456"})
			return err
		},
		"push": func() error { _, err := pushes.Push(question()); return err },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				must(b, make())
			}
		})
	}
}
