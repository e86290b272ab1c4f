package inforce

import (
	"os"
	"testing"

	"twokey/policy"
)

// BenchmarkLoad is what a login costs here when nothing has changed.
func BenchmarkLoad(b *testing.B) {
	dir := b.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		b.Fatal(err)
	}
	config, source := dir+"/twokey.yaml", "version: 1\ndefault: optional\nrequire: [{groups: [wheel, sudo]}]\nexempt: [{users: [backup]}]\n"
	if err := os.WriteFile(config, []byte(source), 0o644); err != nil {
		b.Fatal(err)
	}
	p, err := load(config, dir, keep)
	if err != nil || p.Problem != nil {
		b.Fatal(err, p.Problem)
	}
	if p.Paths.Data != policy.PathsIn(nil).Data {
		b.Fatal("the data folder is not where it usually is")
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := load(config, dir, keep); err != nil {
			b.Fatal(err)
		}
	}
}
