// Package pamtest lets tests log in for real: it builds the PAM module, writes services for libpam, runs PAM transactions, and
// makes the throw-away accounts and ports that they need. It is for tests only.
//
// A transaction runs in a process of its own, because pam_unix and other modules change the handler of SIGCHLD, on which the Go
// runtime of the test relies. That process is the test binary again, so a test that uses [Login] has
//
//	func TestMain(m *testing.M) {
//		pamtest.Child()
//		os.Exit(m.Run())
//	}
package pamtest

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// ModuleDir returns the folder of the module's sources.
func ModuleDir(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "pamhook", "module")
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("pamtest: this test does not run inside the module twokey")
		}
		dir = filepath.Dir(dir)
	}
}

// BuildModule builds pam_twokey.so into dir, an absolute path, and returns the module's path.
func BuildModule(t testing.TB, dir string, extraCFlags ...string) string {
	t.Helper()
	Make(t, "OUT="+dir, "EXTRA_CFLAGS="+strings.Join(extraCFlags, " "), "all")
	return filepath.Join(dir, "pam_twokey.so")
}

// Make runs the module's Makefile with the given arguments and returns what it printed.
func Make(t testing.TB, args ...string) string {
	t.Helper()
	dir := ModuleDir(t)
	// The go command takes a test's result from its cache unless a file changed that the test itself has read.
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			_, err = os.ReadFile(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("make", append([]string{"--no-print-directory", "-C", dir}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("make %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// Service writes a PAM service of the given lines into dir, which then serves as the ConfDir of a [Login].
func Service(t testing.TB, dir, name string, lines ...string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}
