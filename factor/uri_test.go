package factor

import (
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/pquerna/otp"
)

const rfcBase32 = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"

// device is what an address says.
type device struct {
	account, issuer string
	p               Params
	counter         uint64
}

// totpWith returns the standard TOTP device with something else about it.
func totpWith(change func(*Params)) Params {
	p := standard(TOTP)
	change(&p)
	return p
}

// addresses are addresses that are accepted, and seeds of FuzzParseURI. The canonical one is written in full; "" when the
// address itself is canonical.
var addresses = map[string]struct {
	uri       string
	canonical string
	want      device
}{
	"a usual one": {"otpauth://totp/Example:alice@web1?secret=" + rfcBase32 + "&issuer=Example", "",
		device{"alice@web1", "Example", standard(TOTP), 0}},
	"without an issuer": {"otpauth://totp/alice@web1?secret=" + rfcBase32, "",
		device{"alice@web1", "", standard(TOTP), 0}},
	"hotp": {"otpauth://hotp/Example:alice?secret=" + rfcBase32 + "&issuer=Example&counter=0", "",
		device{"alice", "Example", standard(HOTP), 0}},
	"hotp with the highest counter": {"otpauth://hotp/alice?secret=" + rfcBase32 + "&counter=18446744073709551615", "",
		device{"alice", "", standard(HOTP), 1<<64 - 1}},
	"everything unusual": {"otpauth://totp/alice?secret=" + rfcBase32 + "&algorithm=SHA512&digits=12&period=300", "",
		device{"alice", "", totpWith(func(p *Params) { p.Algorithm, p.Digits, p.Period = SHA512, 12, 300 }), 0}},
	"an issuer with everything in it": {
		"otpauth://totp/M%C3%BCller%20%26%20Co%3A%20100%25%20%2F%20A%2BB%3F%23%3D%22%3C:alice?secret=" + rfcBase32 +
			"&issuer=M%C3%BCller%20%26%20Co%3A%20100%25%20%2F%20A%2BB%3F%23%3D%22%3C", "",
		device{"alice", `Müller & Co: 100% / A+B?#="<`, standard(TOTP), 0}},
	"a domain account": {`otpauth://totp/DOM%5Calice%20b@example.org?secret=` + rfcBase32, "",
		device{`DOM\alice b@example.org`, "", standard(TOTP), 0}},
	"a secret of 10 bytes": {"otpauth://totp/alice?secret=GEZDGNBVGY3TQOJQ", "",
		device{"alice", "", totpWith(func(p *Params) { p.Secret = rfcSecret(10) }), 0}},
	"secret in lower case with padding": {"otpauth://totp/alice?secret=gezdgnbvgy3tqojqge======", "otpauth://totp/alice?secret=GEZDGNBVGY3TQOJQGE",
		device{"alice", "", totpWith(func(p *Params) { p.Secret = rfcSecret(11) }), 0}},
	"padding encoded": {"otpauth://totp/alice?secret=GEZDGNBVGY3TQOJQGE%3D%3D%3D%3D%3D%3D", "otpauth://totp/alice?secret=GEZDGNBVGY3TQOJQGE",
		device{"alice", "", totpWith(func(p *Params) { p.Secret = rfcSecret(11) }), 0}},
	"usual values written out, in another order": {
		"otpauth://totp/Example:alice?period=30&digits=6&algorithm=sha-1&issuer=Example&secret=" + rfcBase32,
		"otpauth://totp/Example:alice?secret=" + rfcBase32 + "&issuer=Example",
		device{"alice", "Example", standard(TOTP), 0}},
	"the colon encoded, a space behind it": {"otpauth://totp/Example%3A%20alice?secret=" + rfcBase32,
		"otpauth://totp/Example:alice?secret=" + rfcBase32 + "&issuer=Example",
		device{"alice", "Example", standard(TOTP), 0}},
	"the issuer only as a parameter, + for a space": {"otpauth://totp/alice?issuer=Big+Corp&secret=" + rfcBase32,
		"otpauth://totp/Big%20Corp:alice?secret=" + rfcBase32 + "&issuer=Big%20Corp",
		device{"alice", "Big Corp", standard(TOTP), 0}},
	"two issuers: the parameter wins": {"otpauth://totp/Old:alice?issuer=New&secret=" + rfcBase32,
		"otpauth://totp/New:alice?secret=" + rfcBase32 + "&issuer=New",
		device{"alice", "New", standard(TOTP), 0}},
	"a plus in the label is a plus": {"otpauth://totp/alice+web?secret=" + rfcBase32, "otpauth://totp/alice%2Bweb?secret=" + rfcBase32,
		device{"alice+web", "", standard(TOTP), 0}},
	"a slash in the label": {"otpauth://totp/web/alice?secret=" + rfcBase32, "otpauth://totp/web%2Falice?secret=" + rfcBase32,
		device{"web/alice", "", standard(TOTP), 0}},
	"an empty issuer": {"otpauth://totp/:alice?issuer=&secret=" + rfcBase32, "otpauth://totp/alice?secret=" + rfcBase32,
		device{"alice", "", standard(TOTP), 0}},
	"hotp with a period, as FreeOTP writes it": {"otpauth://hotp/alice?secret=" + rfcBase32 + "&algorithm=SHA1&digits=6&period=30&counter=7",
		"otpauth://hotp/alice?secret=" + rfcBase32 + "&counter=7",
		device{"alice", "", standard(HOTP), 7}},
	"decoration": {"otpauth://totp/alice?secret=" + rfcBase32 + "&image=https%3A%2F%2Fexample.org%2Fa.png&color=ff0000&lock=true&icon=x",
		"otpauth://totp/alice?secret=" + rfcBase32,
		device{"alice", "", standard(TOTP), 0}},
}

func TestParseURIAndURI(t *testing.T) {
	for name, test := range addresses {
		t.Run(name, func(t *testing.T) {
			account, issuer, p, counter, err := ParseURI(test.uri)
			if got := (device{account, issuer, p, counter}); err != nil || !reflect.DeepEqual(got, test.want) {
				t.Fatalf("got %q %q %v %d and %v, want %q", account, issuer, p, counter, err, test.want.account)
			}
			want := test.canonical
			if want == "" {
				want = test.uri
			}
			if got, err := URI(account, issuer, p, counter); err != nil || got != want {
				t.Errorf("got  %s and %v\nwant %s", got, err, want)
			}
		})
	}
	if want := 18; len(addresses) < want {
		t.Errorf("%d addresses, want at least %d", len(addresses), want)
	}
}

// badAddresses must be refused, and are seeds of FuzzParseURI.
var badAddresses = map[string]string{
	"nothing":                        "",
	"another scheme":                 "http://totp/alice?secret=" + rfcBase32,
	"a scheme in capitals":           "OTPAUTH://totp/alice?secret=" + rfcBase32,
	"Google's migration address":     "otpauth-migration://offline?data=CjEK",
	"no slashes":                     "otpauth:totp/alice?secret=" + rfcBase32,
	"no method":                      "otpauth:///alice?secret=" + rfcBase32,
	"an unknown method":              "otpauth://steam/alice?secret=" + rfcBase32,
	"a method in capitals":           "otpauth://TOTP/alice?secret=" + rfcBase32,
	"a user and a port":              "otpauth://u@totp:80/alice?secret=" + rfcBase32,
	"a method and nothing else":      "otpauth://totp",
	"no parameters":                  "otpauth://totp/alice",
	"empty parameters":               "otpauth://totp/alice?",
	"no account":                     "otpauth://totp/?secret=" + rfcBase32,
	"an issuer without an account":   "otpauth://totp/Example:?secret=" + rfcBase32,
	"an account of spaces":           "otpauth://totp/%20%20?secret=" + rfcBase32,
	"no secret":                      "otpauth://totp/alice?issuer=Example",
	"an empty secret":                "otpauth://totp/alice?secret=",
	"a secret of 5 bytes":            "otpauth://totp/alice?secret=GEZDGNBV",
	"a secret of 129 bytes":          "otpauth://totp/alice?secret=" + EncodeSecret(make([]byte, 129)),
	"a secret with 0, 1 and 8":       "otpauth://totp/alice?secret=GEZDGNBVGY3TQ018",
	"a secret with a space":          "otpauth://totp/alice?secret=GEZDGNBV+GY3TQOJQ",
	"a secret with a line break":     "otpauth://totp/alice?secret=GEZDGNBV%0AGY3TQOJQ",
	"a secret with a hyphen":         "otpauth://totp/alice?secret=GEZDGNBV-GY3TQOJQ",
	"a secret that was cut off":      "otpauth://totp/alice?secret=" + rfcBase32 + "G",
	"a secret with padding inside":   "otpauth://totp/alice?secret=GE======GEZDGNBVGY3TQOJQ",
	"two secrets":                    "otpauth://totp/alice?secret=" + rfcBase32 + "&secret=" + rfcBase32,
	"digits twice":                   "otpauth://totp/alice?secret=" + rfcBase32 + "&digits=6&digits=8",
	"two issuers":                    "otpauth://totp/alice?secret=" + rfcBase32 + "&issuer=a&issuer=b",
	"decoration twice":               "otpauth://totp/alice?secret=" + rfcBase32 + "&image=a&image=b",
	"a parameter that changes codes": "otpauth://totp/alice?secret=" + rfcBase32 + "&encoder=steam",
	"an unknown parameter":           "otpauth://totp/alice?secret=" + rfcBase32 + "&x=y",
	"a parameter in capitals":        "otpauth://totp/alice?secret=" + rfcBase32 + "&Digits=8",
	"a parameter's name encoded":     "otpauth://totp/alice?secret=" + rfcBase32 + "&%64igits=8",
	"a parameter without a value":    "otpauth://totp/alice?secret=" + rfcBase32 + "&digits",
	"an ampersand at the end":        "otpauth://totp/alice?secret=" + rfcBase32 + "&",
	"a semicolon between parameters": "otpauth://totp/alice?secret=" + rfcBase32 + ";digits=8",
	"digits=99":                      "otpauth://totp/alice?secret=" + rfcBase32 + "&digits=99",
	"digits=3":                       "otpauth://totp/alice?secret=" + rfcBase32 + "&digits=3",
	"digits=0":                       "otpauth://totp/alice?secret=" + rfcBase32 + "&digits=0",
	"digits=-6":                      "otpauth://totp/alice?secret=" + rfcBase32 + "&digits=-6",
	"digits=06":                      "otpauth://totp/alice?secret=" + rfcBase32 + "&digits=06",
	"digits=%2B6":                    "otpauth://totp/alice?secret=" + rfcBase32 + "&digits=%2B6",
	"digits in words":                "otpauth://totp/alice?secret=" + rfcBase32 + "&digits=six",
	"digits empty":                   "otpauth://totp/alice?secret=" + rfcBase32 + "&digits=",
	"digits beyond 64 bits":          "otpauth://totp/alice?secret=" + rfcBase32 + "&digits=18446744073709551622",
	"period=0":                       "otpauth://totp/alice?secret=" + rfcBase32 + "&period=0",
	"period=9":                       "otpauth://totp/alice?secret=" + rfcBase32 + "&period=9",
	"period=301":                     "otpauth://totp/alice?secret=" + rfcBase32 + "&period=301",
	"period=30s":                     "otpauth://totp/alice?secret=" + rfcBase32 + "&period=30s",
	"hotp with a period in words":    "otpauth://hotp/alice?secret=" + rfcBase32 + "&counter=0&period=half",
	"algorithm MD5":                  "otpauth://totp/alice?secret=" + rfcBase32 + "&algorithm=MD5",
	"algorithm empty":                "otpauth://totp/alice?secret=" + rfcBase32 + "&algorithm=",
	"hotp without a counter":         "otpauth://hotp/alice?secret=" + rfcBase32,
	"totp with a counter":            "otpauth://totp/alice?secret=" + rfcBase32 + "&counter=0",
	"a counter below zero":           "otpauth://hotp/alice?secret=" + rfcBase32 + "&counter=-1",
	"a counter beyond 64 bits":       "otpauth://hotp/alice?secret=" + rfcBase32 + "&counter=18446744073709551616",
	"a counter with a leading zero":  "otpauth://hotp/alice?secret=" + rfcBase32 + "&counter=01",
	"an empty counter":               "otpauth://hotp/alice?secret=" + rfcBase32 + "&counter=",
	"a fragment":                     "otpauth://totp/alice?secret=" + rfcBase32 + "#digits=8",
	"a bare space":                   "otpauth://totp/alice b?secret=" + rfcBase32,
	"a line end":                     "otpauth://totp/alice?secret=" + rfcBase32 + "\n",
	"a bare umlaut":                  "otpauth://totp/Müller?secret=" + rfcBase32,
	"a percent sign alone":           "otpauth://totp/100%?secret=" + rfcBase32,
	"a percent sign in a parameter":  "otpauth://totp/alice?secret=" + rfcBase32 + "&issuer=%zz",
	"an escape sequence":             "otpauth://totp/alice%1B%5B2J?secret=" + rfcBase32,
	"an issuer with an escape":       "otpauth://totp/alice?secret=" + rfcBase32 + "&issuer=%1B%5B2J",
	"a line break in the account":    "otpauth://totp/alice%0Abob?secret=" + rfcBase32,
	"a zero byte in the account":     "otpauth://totp/alice%00?secret=" + rfcBase32,
	"a C1 control character":         "otpauth://totp/alice%C2%9B2J?secret=" + rfcBase32,
	"a direction mark":               "otpauth://totp/alice%E2%80%AEecila?secret=" + rfcBase32,
	"an account that is not UTF-8":   "otpauth://totp/alice%FF?secret=" + rfcBase32,
	"an issuer that is not UTF-8":    "otpauth://totp/alice?secret=" + rfcBase32 + "&issuer=%C3",
	"an account of 257 bytes":        "otpauth://totp/" + strings.Repeat("a", 257) + "?secret=" + rfcBase32,
	"an issuer of 129 bytes":         "otpauth://totp/alice?secret=" + rfcBase32 + "&issuer=" + strings.Repeat("a", 129),
	"2049 bytes":                     "otpauth://totp/alice?secret=" + rfcBase32 + "&image=" + strings.Repeat("a", 2049-len("otpauth://totp/alice?secret=&image=")-32),
}

func TestParseURIRefuses(t *testing.T) {
	for name, uri := range badAddresses {
		t.Run(name, func(t *testing.T) {
			account, issuer, p, counter, err := ParseURI(uri)
			if err == nil {
				t.Fatalf("accepted: %q %q %v %d", account, issuer, p, counter)
			}
			if account != "" || issuer != "" || !reflect.DeepEqual(p, Params{}) || counter != 0 {
				t.Errorf("results beside an error: %q %q %v %d", account, issuer, p, counter)
			}
			if text := err.Error(); strings.Contains(text, "GEZD") || strings.ContainsAny(text, "\x1b\n") || len(text) > 200 {
				t.Errorf("error has the secret, a control character or too much: %q", text)
			}
		})
	}
	if want := 74; len(badAddresses) < want {
		t.Errorf("%d addresses, want at least %d", len(badAddresses), want)
	}
	longest := badAddresses["2049 bytes"][:2048]
	if _, _, _, _, err := ParseURI(longest); err != nil {
		t.Errorf("2048 bytes are refused: %v", err)
	}
}

// Whoever is told that an address is wrong is told whose it is, and never its secret.
func TestAccountOf(t *testing.T) {
	for name, test := range map[string]struct{ uri, want string }{
		"one that is right":              {"otpauth://totp/Example%20Ltd:alice@web1?secret=" + rfcBase32, "alice@web1"},
		"an unknown method":              {badAddresses["an unknown method"], "alice"},
		"a secret with 0, 1 and 8":       {badAddresses["a secret with 0, 1 and 8"], "alice"},
		"empty parameters":               {badAddresses["empty parameters"], "alice"},
		"algorithm MD5":                  {badAddresses["algorithm MD5"], "alice"},
		"a question mark missing":        {"otpauth://totp/alice&secret=" + rfcBase32, ""},
		"no parameters, but words":       {"otpauth://totp/alice, " + rfcBase32, ""},
		"a question mark in another way": {"otpauth://totp/alice&secret=" + rfcBase32 + "?digits=6", ""},
		"a question mark encoded":        {"otpauth://totp/alice%3Fsecret%3D" + rfcBase32 + "?digits=6", ""},
		"the secret for the account":     {"otpauth://totp/" + rfcBase32 + "?secret=alice", ""},
		"one with spaces":                {"otpauth://totp/gezd%20gnbv%20gy3t%20qojq?secret=alice", ""},
		"another scheme":                 {badAddresses["another scheme"], ""},
		"no account":                     {badAddresses["no account"], ""},
		"an escape sequence":             {badAddresses["an escape sequence"], ""},
		"a direction mark":               {badAddresses["a direction mark"], ""},
		"2049 bytes":                     {badAddresses["2049 bytes"], ""},
		"nothing":                        {"", ""},
	} {
		if got := AccountOf(test.uri); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func FuzzParseURI(f *testing.F) {
	for _, test := range addresses {
		f.Add(test.uri)
	}
	for _, uri := range badAddresses {
		f.Add(uri)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		account, issuer, p, counter, err := ParseURI(uri)
		shown := AccountOf(uri)
		if err != nil {
			if shown != "" && checkNames(shown, "") != nil {
				t.Fatalf("%q: shows %q", uri, shown)
			}
			return
		}
		if shown != "" && shown != account {
			t.Fatalf("%q: the account is %q, shown is %q", uri, account, shown)
		}
		if err := p.usable(); err != nil {
			t.Fatalf("%q: accepted with %v", uri, err)
		}
		canonical, err := URI(account, issuer, p, counter)
		if err != nil || len(canonical) > maxURI {
			t.Fatalf("%q: accepted, but no address can be written: %v, %d bytes", uri, err, len(canonical))
		}
		account2, issuer2, p2, counter2, err := ParseURI(canonical)
		if err != nil || account2 != account || issuer2 != issuer || !reflect.DeepEqual(p2, p) || counter2 != counter {
			t.Fatalf("%q\n%q: %q %q %v %d and %v, want %q %q %v %d", uri, canonical, account2, issuer2, p2, counter2, err, account, issuer, p, counter)
		}
		if again, err := URI(account2, issuer2, p2, counter2); err != nil || again != canonical {
			t.Fatalf("%q is no fixed point: %q, %v", canonical, again, err)
		}
	})
}

func TestURIRefuses(t *testing.T) {
	tests := map[string]struct {
		account, issuer string
		p               Params
	}{
		"no account":                     {"", "Example", standard(TOTP)},
		"an account with a colon":        {"a:b", "", standard(TOTP)},
		"an account that begins blank":   {" alice", "", standard(TOTP)},
		"an account with a line break":   {"a\nb", "", standard(TOTP)},
		"an issuer with an escape":       {"alice", "\x1b[2J", standard(TOTP)},
		"an issuer that is not UTF-8":    {"alice", "\xff", standard(TOTP)},
		"an account of 257 bytes":        {strings.Repeat("a", 257), "", standard(TOTP)},
		"an issuer of 129 bytes":         {"alice", strings.Repeat("a", 129), standard(TOTP)},
		"the zero value":                 {"alice", "", Params{}},
		"a method with a slash in it":    {"alice", "", totpWith(func(p *Params) { p.Method = "totp/x" })},
		"digits out of range":            {"alice", "", totpWith(func(p *Params) { p.Digits = 13 })},
		"an algorithm with an ampersand": {"alice", "", totpWith(func(p *Params) { p.Algorithm = "SHA1&digits=8" })},
		"an empty secret":                {"alice", "", totpWith(func(p *Params) { p.Secret = nil })},
	}
	for name, test := range tests {
		if got, err := URI(test.account, test.issuer, test.p, 0); err == nil || got != "" {
			t.Errorf("%s: got %q and %v, want an error", name, got, err)
		}
	}
}

func TestTheLongestAddressIsReadBack(t *testing.T) {
	p := Params{Method: HOTP, Secret: rfcSecret(MaxSecret), Digits: 12, Algorithm: SHA512}
	account, issuer := strings.Repeat("ü", maxAccount/2), strings.Repeat("&", maxIssuer)
	uri, err := URI(account, issuer, p, 1<<64-1)
	if err != nil || len(uri) > maxURI {
		t.Fatalf("%d bytes, %v", len(uri), err)
	}
	gotAccount, gotIssuer, got, counter, err := ParseURI(uri)
	if err != nil || gotAccount != account || gotIssuer != issuer || !reflect.DeepEqual(got, p) || counter != 1<<64-1 {
		t.Errorf("got %q %q %v %d and %v", gotAccount, gotIssuer, got, counter, err)
	}
}

// TestOtherReadersSeeTheSame reads our addresses as two independent programs do: net/url, and the library.
func TestOtherReadersSeeTheSame(t *testing.T) {
	r := seeded(t)
	for _, issuer := range []string{"Example", "Müller & Söhne", "100% / A+B", "a=b?c#d", "日本 ✓", `"quotes" <tags>`, "tilde~dot.dash-"} {
		p := randomParams(r)
		uri, err := URI("alice@web1.example.org", issuer, p, 42)
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(uri)
		if err != nil || u.Scheme != "otpauth" || u.Host != string(p.Method) || u.Path != "/"+issuer+":alice@web1.example.org" {
			t.Errorf("%s: net/url sees %v and %v", uri, u, err)
			continue
		}
		if q := u.Query(); q.Get("issuer") != issuer || q.Get("secret") != EncodeSecret(p.Secret) || strings.Contains(uri, "+") {
			t.Errorf("%s: net/url sees %v", uri, q)
		}
		key, err := otp.NewKeyFromURL(uri)
		if err != nil || key.Issuer() != issuer || key.AccountName() != "alice@web1.example.org" || key.Secret() != EncodeSecret(p.Secret) ||
			key.Digits().Length() != p.Digits || key.Algorithm().String() != string(p.Algorithm) ||
			(p.Method == TOTP && key.Period() != uint64(p.Period)) {
			t.Errorf("%s: the library sees %v and %v", uri, key, err)
		}
	}
}
