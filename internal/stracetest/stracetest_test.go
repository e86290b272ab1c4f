package stracetest

import (
	"slices"
	"testing"
)

func TestLinesPutsTogetherWhatStraceHasBroken(t *testing.T) {
	got := Lines(`10 pwrite64(3, "a", 1, 0 <unfinished ...>
11 openat(AT_FDCWD, "x", O_RDONLY <unfinished ...>
10 <... pwrite64 resumed>) = 1
12 fsync(4) = 0
11 <... openat resumed>) = -1 ENOENT (No such file or directory)
13 <... futex resumed>) = 0
10 fsync(3 <unfinished ...>
10 +++ killed by SIGKILL +++
`)
	want := []string{
		`10 pwrite64(3, "a", 1, 0) = 1`,
		`11 openat(AT_FDCWD, "x", O_RDONLY) = -1 ENOENT (No such file or directory)`,
		"12 fsync(4) = 0",
		"10 fsync(3",
		"10 +++ killed by SIGKILL +++",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
