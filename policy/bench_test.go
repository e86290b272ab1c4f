package policy

import (
	"strings"
	"testing"
)

// sized are configurations: of the usual length, and with a thousand names.
func sized() map[string]string {
	names := strings.Repeat("someone@example.org, ", 999) + "alice"
	return map[string]string{
		"short": "version: 1\ndefault: optional\nrequire: [{groups: [wheel, sudo]}]\nexempt: [{users: [backup]}]\n",
		"long":  "version: 1\nrules: [{users: [" + names + "], then: required}]\n",
	}
}

// BenchmarkLoad is what a login costs while the configuration is wrong: the compiled policy is read.
func BenchmarkLoad(b *testing.B) {
	for name, source := range sized() {
		b.Run(name, func(b *testing.B) {
			c, err := Parse([]byte(source))
			if err != nil {
				b.Fatal(err)
			}
			compiled := c.Compile(zeros)
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := Load(compiled); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkParse and BenchmarkCompile are what every other login costs.
func BenchmarkParse(b *testing.B) {
	for name, source := range sized() {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := Parse([]byte(source)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	for name, source := range sized() {
		b.Run(name, func(b *testing.B) {
			c, err := Parse([]byte(source))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				c.Compile(zeros)
			}
		})
	}
}

func BenchmarkDecide(b *testing.B) {
	for name, source := range sized() {
		b.Run(name, func(b *testing.B) {
			c, err := Parse([]byte(source))
			if err != nil {
				b.Fatal(err)
			}
			facts := Facts{User: "zoe", Service: "sshd", InGroup: func(string) (bool, error) { return false, nil }}
			for b.Loop() {
				c.Decide(facts)
			}
		})
	}
}
