package importer

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"twokey/factor"
)

func container(content string) string {
	return `<KeyContainer Version="1.0" xmlns="` + pskcSpace + `">` + content + `</KeyContainer>`
}

// pkg is one token with the secret of RFC 4226.
func pkg(user, serial, algorithm, data, policy string) string {
	if policy != "" {
		policy = "<Policy>" + policy + "</Policy>"
	}
	return `<KeyPackage><DeviceInfo><SerialNo>` + serial + `</SerialNo></DeviceInfo><Key Id="1" Algorithm="` + pskcSpace + ":" + algorithm + `">` +
		`<AlgorithmParameters><ResponseFormat Length="6" Encoding="DECIMAL"/></AlgorithmParameters>` +
		`<Data><Secret><PlainValue>MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=</PlainValue></Secret>` + data + `</Data>` + policy + `<UserId>` + user + `</UserId></Key></KeyPackage>`
}

func figure(t testing.TB, n int) string {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("testdata/rfc6030-figure%d.xml", n))
	must(t, err)
	return string(b)
}

const (
	figure6Key      = "12345678901234567890123456789012"
	figure7Password = "qwerty"
)

func opens(key string) func(Lock) (string, error) {
	return func(Lock) (string, error) { return key, nil }
}

// The examples of RFC 6030. Those with a PIN as a key of its own, and with a certificate, are what cannot be taken over.
func TestExamplesOfTheRFC(t *testing.T) {
	const jsmith = " 987654321 " + rfcBase32 + " hotp 8 0 SHA1 counter 0\n"
	for _, test := range []struct {
		figure  int
		options Options
		want    string
	}{
		{2, Options{User: "alice", AllowShort: true}, "file:6: alice: secret of 4 bytes"},
		{3, Options{}, "6 jsmith" + jsmith + "jsmith: not kept: Manufacturer \"Manufacturer\", Issuer \"Issuer\"\n"},
		{5, Options{User: "alice"}, "6 alice" + jsmith + "alice: a PIN belongs to the token: nothing asks for it here\nalice: not kept: Manufacturer \"Manufacturer\", Issuer \"Issuer\"\n" +
			`file:37: alice: token "987654321": its algorithm is "` + pskcSpace + `:pin", neither hotp nor totp` + "\n"},
		{6, Options{User: "alice", Unlock: opens(figure6Key)}, "21 alice" + jsmith + "alice: not kept: Manufacturer \"Manufacturer\", Issuer \"Issuer\"\n"},
		{7, Options{User: "alice", Unlock: opens(figure7Password)}, "39 alice" + jsmith + "alice: not kept: Manufacturer \"TokenVendorAcme\", Issuer \"Example-Issuer\"\n"},
		{10, Options{User: "alice"}, "5 alice 654321 " + rfcBase32 + " hotp 8 0 SHA1 counter 0\n" +
			"alice: it was to be good from \"2006-05-01T00:00:00Z\" on: it is good at once\nalice: not kept: Manufacturer \"TokenVendorAcme\", Issuer \"Issuer\"\nfile:32: alice: the secret is that of line 5\n" +
			"file:59: alice: the secret is that of line 5\nfile:86: alice: the secret is that of line 5\n"},
	} {
		got := text(read(t, PSKC, figure(t, test.figure), test.options))
		if got != test.want && !(test.figure == 2 && strings.HasPrefix(got, test.want)) {
			t.Errorf("figure %d: got\n%swant\n%s", test.figure, got, test.want)
		}
	}
	until := read(t, PSKC, figure(t, 10), Options{User: "alice"}).Users[0].Devices[0].Until
	if until == nil || !until.Equal(time.Date(2006, 5, 31, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("good until %v", until)
	}
	if _, err := Read(PSKC, "file", strings.NewReader(figure(t, 8)), Options{Unlock: opens(figure6Key)}); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("figure 8: %v", err)
	}
}

// altered is an example with something else in the place of something.
func altered(t testing.TB, n int, old, new string) string {
	t.Helper()
	content := figure(t, n)
	if strings.Count(content, old) != 1 {
		t.Fatalf("%q is not there once", old)
	}
	return strings.Replace(content, old, new, 1)
}

// Whoever changes the file on its way can flip bits of a secret that AES-CBC hides: the MAC tells, before anything is decrypted.
func TestAnEncryptedFileThatWasChanged(t *testing.T) {
	const cipherText, mac = "AAECAwQFBgcICQoLDA0OD+cIHItlB3Wra1DUpxVvOx2lef1VmNPCMl8jwZqIUqGv", "Su+NvtQfmvfJzF6bmQiJqoLRExc="
	for name, content := range map[string]string{
		"a bit of the vector":     altered(t, 6, cipherText, "B"+cipherText[1:]),
		"a bit of the ciphertext": altered(t, 6, cipherText, cipherText[:40]+"9"+cipherText[41:]),
		"the MAC":                 altered(t, 6, mac, "Tu"+mac[2:]),
		"no MAC":                  altered(t, 6, mac, ""),
		"half a MAC":              altered(t, 6, mac, "Su+NvtQfmvfJzF6b"),
		"a shorter ciphertext":    altered(t, 6, cipherText, cipherText[:44]),
	} {
		if _, err := Read(PSKC, "file", strings.NewReader(content), Options{User: "alice", Unlock: opens(figure6Key)}); !errors.Is(err, ErrWrongKey) {
			t.Errorf("%s: %v", name, err)
		}
		beside := strings.Replace(figure(t, 6), "</KeyContainer>", packageOf(t, content)+"</KeyContainer>", 1)
		file := read(t, PSKC, beside, Options{User: "alice", Unlock: opens(figure6Key)})
		if len(file.Users) != 1 || len(file.Wrong) != 1 || !errors.Is(file.Wrong[0], ErrWrongKey) {
			t.Errorf("%s, beside one that was not changed:\n%s", name, text(file))
		}
	}
	for name, test := range map[string]struct{ content, key, want string }{
		"another key":              {figure(t, 6), strings.Repeat("ab", 16), ErrWrongKey.Error()},
		"a key of another length":  {figure(t, 6), strings.Repeat("ab", 32), "the key has 256 bits"},
		"no key of AES":            {figure(t, 6), "secret", "not 16, 24 or 32 bytes"},
		"another password":         {figure(t, 7), "qwertz", ErrWrongKey.Error()},
		"no MAC method":            {strings.ReplaceAll(figure(t, 6), "MACMethod", "Method"), figure6Key, "without a MAC"},
		"an unknown MAC":           {altered(t, 6, "hmac-sha1", "hmac-md5"), figure6Key, "hmac-md5"},
		"an unknown cipher":        {strings.ReplaceAll(figure(t, 6), "aes128-cbc", "tripledes-cbc"), figure6Key, "tripledes-cbc"},
		"a MAC key of nothing":     {altered(t, 6, "ESIzRFVmd4iZABEiM0RVZgKn6WjLaTC1sbeBMSvIhRejN9vJa2BOlSaMrR7I5wSX", "ESIzRFVmd4iZABEiM0RVZg=="), figure6Key, "cut off"},
		"an unknown derivation":    {altered(t, 7, "#pbkdf2", "#pbkdf1"), figure7Password, "pbkdf1"},
		"a derivation without end": {altered(t, 7, "<IterationCount>1000<", "<IterationCount>1000000000000<"), figure7Password, "not known here"},
		"no salt":                  {altered(t, 7, "Ej7/PEpyEpw=", ""), figure7Password, "not known here"},
		"a key of a byte":          {altered(t, 7, "<KeyLength>16<", "<KeyLength>1<"), figure7Password, "not known here"},
	} {
		if _, err := Read(PSKC, "file", strings.NewReader(test.content), Options{User: "alice", Unlock: opens(test.key)}); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
	if _, err := Read(PSKC, "file", strings.NewReader(figure(t, 6)), Options{User: "alice"}); !errors.Is(err, ErrLocked) {
		t.Errorf("without anybody to ask: %v", err)
	}
}

// packageOf is the token of an example.
func packageOf(t *testing.T, content string) string {
	t.Helper()
	begin, end := strings.Index(content, "<KeyPackage>"), strings.Index(content, "</KeyPackage>")
	if begin < 0 || end < begin {
		t.Fatal("there is no token")
	}
	return content[begin : end+len("</KeyPackage>")]
}

// Of a wrong key the file is told, whatever its key opens by chance.
func TestAWrongKeyIsToldOfTheFile(t *testing.T) {
	for n := range 256 {
		key := fmt.Sprintf("%032x", n)
		file, err := Read(PSKC, "file", strings.NewReader(figure(t, 6)), Options{User: "alice", Unlock: opens(key)})
		if file != nil || !errors.Is(err, ErrWrongKey) {
			t.Fatalf("the key %s: %v, %v", key, file, err)
		}
	}
}

func TestXMLIsReadSafely(t *testing.T) {
	for name, content := range map[string]string{
		"a bomb":       `<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]><KeyContainer>&b;</KeyContainer>`,
		"another file": `<!DOCTYPE a SYSTEM "file:///etc/shadow"><a/>`,
		"deep nesting": strings.Repeat("<a>", 100_000),
	} {
		if _, err := parseXML(strings.NewReader(content)); err == nil || strings.Contains(err.Error(), "EOF") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, test := range map[string]struct{ change, to, want string }{
		"two secrets":       {"<Secret>", "<Secret><PlainValue>MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=</PlainValue></Secret><Secret>", "<Secret> is there twice"},
		"two values":        {"<PlainValue>", "<PlainValue>MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=</PlainValue><PlainValue>", "it has no secret, or two"},
		"no value":          {"PlainValue", "Value", "it has no secret, or two"},
		"not base64":        {"MTIz", "MT!z", "not base64"},
		"encrypted, how?":   {"PlainValue", "EncryptedValue", "the file does not say how"},
		"letters":           {`"DECIMAL"`, `"ALPHANUMERIC"`, "not digits"},
		"a check digit":     {`Length="6"`, `Length="6" CheckDigits="true"`, "check digit"},
		"no digits":         {`Length="6"`, ``, "want codes of 4 to 12 digits"},
		"99 digits":         {`Length="6"`, `Length="99"`, "want codes of 4 to 12 digits"},
		"another algorithm": {":totp", ":ocra", "neither hotp nor totp"},
		"an unknown suite":  {"<AlgorithmParameters>", "<AlgorithmParameters><Suite>MD5</Suite>", "algorithm"},
		"a long interval":   {"</Data>", "<TimeInterval><PlainValue>3000</PlainValue></TimeInterval></Data>", "10 to 300 seconds"},
		"no interval":       {"</Data>", "<TimeInterval/></Data>", "10 to 300 seconds"},
		"another epoch":     {"</Data>", "<Time><PlainValue>1000</PlainValue></Time></Data>", "count from 1970"},
		"for signatures":    {"</Data>", "</Data><Policy><KeyUsage>Integrity</KeyUsage></Policy>", "does not let it be used"},
		"unknown in policy": {"</Data>", "</Data><Policy><OnlyOnSundays/></Policy>", "<OnlyOnSundays> in its policy is not known"},
		"a strange end":     {"</Data>", "</Data><Policy><ExpiryDate>soon</ExpiryDate></Policy>", "<ExpiryDate>"},
		"no user":           {"alice", "DC=example", "not said whose it is"},
	} {
		content := strings.Replace(container(pkg("alice", "1", "totp", "", "")), test.change, test.to, 1)
		if test.change == "PlainValue" {
			content = strings.ReplaceAll(container(pkg("alice", "1", "totp", "", "")), test.change, test.to)
		}
		file := read(t, PSKC, content, Options{})
		if len(file.Users) > 0 || len(file.Wrong) != 1 || !strings.Contains(file.Wrong[0].Error(), test.want) {
			t.Errorf("%s: got\n%swant %s", name, text(file), test.want)
		}
	}
}

func TestSuitesAndSizes(t *testing.T) {
	for suite, want := range map[string]factor.Algorithm{"HMAC-SHA1": factor.SHA1, "SHA256": factor.SHA256, "HMAC-SHA512": factor.SHA512, "hmac-sha256": factor.SHA256} {
		content := strings.Replace(container(pkg("alice", "1", "totp", "", "")), "<AlgorithmParameters>", "<AlgorithmParameters><Suite>"+suite+"</Suite>", 1)
		if got := theDevice(t, read(t, PSKC, content, Options{})).Algorithm; got != want {
			t.Errorf("%s: %s", suite, got)
		}
	}
}
