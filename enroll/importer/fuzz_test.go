package importer

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"twokey/factor"
)

// seeds are all files of the tables that are of a format.
func seeds(format Format) (texts []string) {
	for _, table := range []map[string]sample{good, wrongRows, wholeFiles} {
		for _, name := range slices.Sorted(maps.Keys(table)) {
			if s := table[name]; s.format == format && len(s.text) <= maxLine {
				texts = append(texts, s.text)
			}
		}
	}
	return texts
}

func TestHowManySeedsThereAre(t *testing.T) {
	for format, want := range map[Format]int{GoogleAuthenticator: 18, OATH: 20, OTPAuth: 10, Migration: 18, PSKC: 11, CSV: 18} {
		if got := len(seeds(format)); got < want {
			t.Errorf("%s: %d seeds, want at least %d", format, got, want)
		}
	}
}

// fuzz: whatever is read, what comes out can become a device, each user is there once, and each line gives something or is wrong.
func fuzz(f *testing.F, format Format, more ...string) {
	for _, text := range append(seeds(format), more...) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, content string) {
		options := Options{AllowShort: true, Unlock: opens(figure6Key)}
		if format == GoogleAuthenticator {
			options.User = "alice"
		}
		file, err := Read(format, "file", strings.NewReader(content), options)
		if err != nil {
			if file != nil || !strings.HasPrefix(err.Error(), "file:") {
				t.Errorf("%v with %v", err, file)
			}
			return
		}
		seen := map[string]bool{}
		for _, u := range file.Users {
			if seen[u.Name] || checkUser(u.Name) != nil || len(u.Devices) == 0 {
				t.Errorf("%q with %d devices", u.Name, len(u.Devices))
			}
			seen[u.Name] = true
			names := map[string]bool{}
			for _, d := range u.Devices {
				if err := params(d).Check(); err != nil && len(d.Secret) >= factor.MinSecret || len(d.Secret) < factor.FloorOfSecret {
					t.Errorf("%s: %v", deviceText(d), err)
				}
				if names[d.Name] || len(d.Name) > 32 || printableOrNothing(d.Name) == "" || (d.Counter != nil) != (d.Method == factor.HOTP) {
					t.Errorf("device %q of %q", d.Name, u.Name)
				}
				names[d.Name] = true
			}
		}
		for _, w := range file.Wrong {
			if w.Line < 1 || w.Err == nil {
				t.Errorf("%v", w)
			}
		}
	})
}

func FuzzGoogleAuthenticator(f *testing.F) { fuzz(f, GoogleAuthenticator) }
func FuzzOATH(f *testing.F)                { fuzz(f, OATH) }
func FuzzOTPAuth(f *testing.F)             { fuzz(f, OTPAuth) }
func FuzzMigration(f *testing.F)           { fuzz(f, Migration) }
func FuzzCSV(f *testing.F)                 { fuzz(f, CSV) }
func FuzzPSKC(f *testing.F)                { fuzz(f, PSKC, figure(f, 3), figure(f, 5), figure(f, 6), figure(f, 10)) }

func FuzzOwners(f *testing.F) {
	for _, text := range []string{"serial,user\n1,alice\n", "1,alice", "1,alice,x", ",\n", "1,a\n1,b"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, content string) {
		owners, err := ReadOwners("list", strings.NewReader(content))
		if (err != nil) != (len(owners) == 0) {
			t.Errorf("%v, %v", owners, err)
		}
		for serial, user := range owners {
			if serial == "" || checkUser(user) != nil {
				t.Errorf("%q: %q", serial, user)
			}
		}
	})
}
