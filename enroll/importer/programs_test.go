package importer

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"twokey/factor"
)

// What google-authenticator writes makes, here, the codes that oathtool makes of it.
func TestWhatGoogleAuthenticatorWritesMakesTheSameCodes(t *testing.T) {
	for name, test := range map[string]struct {
		arguments string
		left      []string
	}{
		"totp":              {"-t -d -f -r 3 -R 30 -w 3 -q", []string{"RATE_LIMIT 3 30", "WINDOW_SIZE 3, ±1", "5 scratch codes"}},
		"totp every 60 s":   {"-t -D -f -u -w 17 -S 60 -e 10 -q", []string{"WINDOW_SIZE 17, ±8", "10 scratch codes"}},
		"without scratch":   {"-t -D -f -u -W -e 0 -q", []string{"WINDOW_SIZE 3, ±1"}},
		"hotp":              {"-c -f -u -w 9 -q", []string{"WINDOW_SIZE 9, by which", "5 scratch codes"}},
		"hotp, minimal":     {"-c -f -u -W -e 0 -q", []string{"WINDOW_SIZE 1, by which"}},
		"all that it knows": {"-t -d -f -r 1 -R 60 -w 21 -S 30 -e 1 -q", []string{"RATE_LIMIT 1 60", "WINDOW_SIZE 21", "1 scratch codes"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "secret")
			run(t, "", "google-authenticator", append(strings.Fields(test.arguments), "-s", path)...)
			content, err := os.ReadFile(path)
			must(t, err)
			file := read(t, GoogleAuthenticator, string(content), Options{User: "alice"})
			d := theDevice(t, file)
			base32, _, _ := strings.Cut(string(content), "\n")
			at := time.Now()
			p := params(d)
			counter, arguments := p.Step(at), []string{"--totp", "-b", "-s", fmt.Sprint(d.Period), "-N", at.UTC().Format("2006-01-02 15:04:05 UTC"), base32}
			if d.Method == factor.HOTP {
				counter, arguments = *d.Counter, []string{"--hotp", "-b", "-c", fmt.Sprint(*d.Counter), base32}
			}
			code, err := p.Code(counter)
			must(t, err)
			if want := run(t, "", "oathtool", arguments...); code != want {
				t.Errorf("code %s, oathtool %s", code, want)
			}
			if len(file.Users[0].Left) != len(test.left) {
				t.Errorf("left %q, want %q", file.Users[0].Left, test.left)
			}
			for i, left := range test.left {
				if !strings.HasPrefix(file.Users[0].Left[i], left) {
					t.Errorf("left %q, want %q", file.Users[0].Left[i], left)
				}
			}
		})
	}
}

// usersFileProgram logs somebody in by pam_oath's own library, which rewrites the users file.
const usersFileProgram = `
#include <liboath/oath.h>
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv) {
	time_t last;
	if (argc != 5 || oath_init() != OATH_OK) return 2;
	puts(oath_strerror_name(oath_authenticate_usersfile(argv[1], argv[2], argv[3], 5, argv[4], &last)));
	return 0;
}`

func buildUsersFileProgram(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "login")
	must(t, os.WriteFile(program+".c", []byte(usersFileProgram), 0o600))
	if out, err := exec.Command("cc", "-o", program, program+".c", "-loath").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
}

// Codes that pam_oath has taken are not good again here, and the next one is, of the file as liboath writes it.
func TestWhatLiboathWritesGoesOnWhereItWas(t *testing.T) {
	login := buildUsersFileProgram(t)
	path := filepath.Join(t.TempDir(), "users.oath")
	must(t, os.WriteFile(path, []byte("# tokens\nHOTP alice - "+rfcHex+" 3\nHOTP/E/8\tbob\t1234\t"+rfcHex+"\t0\nHOTP/T60/7 carol + "+rfcHex+"\nHOTP dave - "+rfcHex+
		" 3\n"), 0o600))
	hotp := func(counter, digits string) string {
		return run(t, "", "oathtool", "-d", digits, "-c", counter, rfcHex)
	}
	for _, step := range []struct{ user, code, pin, want string }{
		{"alice", hotp("5", "6"), "", "OATH_OK"}, // two ahead of the counter
		{"alice", hotp("5", "6"), "", "OATH_REPLAYED_OTP"},
		{"bob", hotp("0", "8"), "1234", "OATH_OK"},
		{"bob", hotp("1", "8"), "1234", "OATH_OK"},
		{"carol", run(t, "", "oathtool", "--totp", "-d", "7", "-s", "60", rfcHex), "", "OATH_OK"},
	} {
		if got := run(t, "", login, path, step.user, step.code, step.pin); got != step.want {
			t.Fatalf("%s: %s, want %s", step.user, got, step.want)
		}
	}
	content, err := os.ReadFile(path)
	must(t, err)
	file := read(t, OATH, string(content), Options{})
	want := "2 alice phone " + rfcBase32 + " hotp 6 0 SHA1 counter 6\n" +
		"3 bob phone " + rfcBase32 + " hotp 8 0 SHA1 counter 2\n" +
		"bob: a PIN was asked for beside the code: here it is the password alone\n" +
		"bob: the secret is that of alice too: each can make the other's codes\n" +
		"4 carol phone " + rfcBase32 + " totp 7 60 SHA1\n" +
		"carol: the secret is that of alice too: each can make the other's codes\n" +
		"5 dave phone " + rfcBase32 + " hotp 6 0 SHA1 counter 3\n" +
		"dave: the secret is that of alice too: each can make the other's codes\n"
	if got := text(file); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	// What liboath takes next is what is the next one here.
	code, err := params(file.Users[0].Devices[0]).Code(*file.Users[0].Devices[0].Counter)
	must(t, err)
	if got := run(t, "", login, path, "alice", code, ""); got != "OATH_OK" {
		t.Errorf("liboath: %s", got)
	}
}

// What python-pskc writes, plain and encrypted in each way, is read.
func TestWhatPythonPSKCWrites(t *testing.T) {
	const program = `
import sys
from pskc import PSKC
p = PSKC()
p.add_key(id='1', serial='987654', secret=b'12345678901234567890', algorithm='urn:ietf:params:xml:ns:keyprov:pskc:totp', response_length=8,
    response_encoding='DECIMAL', time_interval=60, algorithm_suite='HMAC-SHA256', key_userid='UID=alice,DC=example,DC=org')
%s
p.write(sys.stdout)`
	key := []byte("0123456789abcdef0123456789abcdef")
	for name, test := range map[string]struct{ setup, given string }{
		"plain":    {"", ""},
		"AES-128":  {"p.encryption.setup_preshared_key(key=b'0123456789abcdef', algorithm='aes128-cbc')", fmt.Sprintf("%x", key[:16])},
		"AES-192":  {"p.encryption.setup_preshared_key(key=b'0123456789abcdef01234567', algorithm='aes192-cbc')", fmt.Sprintf("%X\n", key[:24])},
		"AES-256":  {"p.encryption.setup_preshared_key(key=b'0123456789abcdef0123456789abcdef', algorithm='aes256-cbc')", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="},
		"SHA-256":  {"p.encryption.setup_preshared_key(key=b'0123456789abcdef', algorithm='aes128-cbc'); p.mac.setup(algorithm='hmac-sha256')", fmt.Sprintf("%x", key[:16])},
		"SHA-512":  {"p.encryption.setup_preshared_key(key=b'0123456789abcdef', algorithm='aes128-cbc'); p.mac.setup(algorithm='hmac-sha512')", fmt.Sprintf("%x", key[:16])},
		"password": {"p.encryption.setup_pbkdf2('qwerty', algorithm='aes128-cbc', iterations=1000)", "qwerty"},
		"password by SHA-256": {"p.encryption.setup_pbkdf2('p w', algorithm='aes256-cbc', iterations=1000, prf='hmac-sha256')",
			"p w"},
	} {
		t.Run(name, func(t *testing.T) {
			content := run(t, fmt.Sprintf(program, test.setup), "/usr/bin/python3", "-")
			file := read(t, PSKC, content, Options{Unlock: func(Lock) (string, error) { return test.given, nil }})
			if got := file.Users[0].Name + " " + deviceText(theDevice(t, file)); got != "alice 987654 "+rfcBase32+" totp 8 60 SHA256" {
				t.Error(got)
			}
		})
	}
}
