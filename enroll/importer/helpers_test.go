package importer

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"twokey/enroll/batch"
	"twokey/factor"
)

const (
	rfcSecret = "12345678901234567890" // RFC 4226 appendix D, RFC 6238 appendix B
	rfcBase32 = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
	rfcHex    = "3132333435363738393031323334353637383930"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// read reads a file that is right as a whole.
func read(t testing.TB, format Format, text string, o Options) *File {
	t.Helper()
	file, err := Read(format, "file", strings.NewReader(text), o)
	must(t, err)
	return file
}

// run runs a program and returns what it printed.
func run(t testing.TB, stdin, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	cmd.Env = append(os.Environ(), "TZ=UTC")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v", name, args, err)
	}
	return strings.TrimSpace(string(out))
}

// text is what was read, in one line for each device, note and error.
func text(file *File) string {
	var b strings.Builder
	for _, u := range file.Users {
		for _, d := range u.Devices {
			fmt.Fprintf(&b, "%d %s %s\n", d.Line, u.Name, deviceText(d))
		}
		for _, left := range u.Left {
			fmt.Fprintf(&b, "%s: %s\n", u.Name, left)
		}
	}
	for _, w := range file.Wrong {
		fmt.Fprintln(&b, w)
	}
	return b.String()
}

func deviceText(d batch.Device) string {
	counter := ""
	if d.Counter != nil {
		counter = fmt.Sprintf(" counter %d", *d.Counter)
	}
	names := ""
	if d.Issuer != "" || d.Label != "" {
		names = fmt.Sprintf(" %q %q", d.Issuer, d.Label)
	}
	return fmt.Sprintf("%s %s %s %d %d %s%s%s", d.Name, factor.EncodeSecret(d.Secret), d.Method, d.Digits, d.Period, d.Algorithm, counter, names)
}

func params(d batch.Device) factor.Params {
	return factor.Params{Method: d.Method, Secret: d.Secret, Digits: d.Digits, Period: d.Period, Algorithm: d.Algorithm}
}

// theDevice is the only one of a file in which nothing is wrong.
func theDevice(t testing.TB, file *File) batch.Device {
	t.Helper()
	if len(file.Users) != 1 || len(file.Users[0].Devices) != 1 || len(file.Wrong) > 0 {
		t.Fatalf("want one device and nothing wrong:\n%s", text(file))
	}
	return file.Users[0].Devices[0]
}
