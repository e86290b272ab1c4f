package importer

import (
	"cmp"
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
	for format, want := range map[Format]int{GoogleAuthenticator: 18, OATH: 20, OTPAuth: 18, Migration: 19, PSKC: 11, CSV: 18} {
		if got := len(seeds(format)); got < want {
			t.Errorf("%s: %d seeds, want at least %d", format, got, want)
		}
	}
	if got := len(ownerSeeds()); got < 20 {
		t.Errorf("owners: %d seeds, want at least 20", got)
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
				_, err := factor.URI(cmp.Or(d.Label, u.Name), d.Issuer, params(d), 0)
				if format != CSV && (err != nil || strings.Contains(d.Issuer, ":")) { // apply sees to a table's names itself
					t.Errorf("issuer %q, label %q: %v", d.Issuer, d.Label, err)
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
	for _, text := range ownerSeeds() {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, content string) {
		owners, err := ReadOwners("list", strings.NewReader(content))
		if (err != nil) != (owners == nil) || err != nil && !strings.HasPrefix(err.Error(), "list:") {
			t.Fatalf("%v, %v", owners, err)
		}
		if err != nil {
			return
		}
		last := 1
		for _, row := range owners.rows {
			if row.serial == "" || checkUser(row.user) != nil || owners.bySerial[row.serial] != row || row.line <= last {
				t.Errorf("%+v", row)
			}
			last = row.line
		}
		for _, w := range owners.wrong(nil, "file") {
			if w.Line < 2 || w.File != "list" {
				t.Errorf("%v", w)
			}
		}
	})
}
