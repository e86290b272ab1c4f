package importer

import (
	"fmt"
	"io"
	"strings"
	"testing"
)

// Editors and other programs find "file:3:" and go there: it is the one form, whether the whole file is refused or one row.
func TestWhatIsWrongIsToldAtItsLine(t *testing.T) {
	google := rfcBase32 + "\n\" RATE_LIMIT 3 30\n\" WINDOW_SIZE 17\n"
	for name, test := range map[string]struct {
		format Format
		text   string
		want   string
	}{
		"an option":              {GoogleAuthenticator, google + "\" STEP_SIZE 5\n\" TOTP_AUTH\n", "file:4: alice: STEP_SIZE: want 10 to 300 seconds"},
		"a counter":              {GoogleAuthenticator, google + "\" HOTP_COUNTER 1x\n", "file:4: alice: HOTP_COUNTER: \"1x\" is not a plain number"},
		"neither of two":         {GoogleAuthenticator, google, "file:1: alice: want one of the options"},
		"no scratch code":        {GoogleAuthenticator, google + "1234\n", "file:4: alice: neither an option nor a scratch code"},
		"a row of a table":       {CSV, "user,secret,digits\nbob," + rfcBase32 + ",6\nalice," + rfcBase32 + ",3\n", "file:3: alice: digits: want"},
		"a header":               {CSV, "user,secret,colour\n", "file:1: unknown column \"colour\""},
		"an empty table":         {CSV, "", "file:1: there is no column user"},
		"bytes that are no text": {OATH, "#\n#\nHOTP \xff - " + rfcHex + "\n", "file:3: not UTF-8"},
		"an endless line":        {OATH, "#\n" + strings.Repeat("x", maxLine+1), "file:2: a line is longer than 64 KiB"},
		"XML that is none":       {PSKC, "<a>\n<b>\n</a>", "file:3: not XML: "},
		"a document type":        {PSKC, "\n<!DOCTYPE a>\n<a/>", "file:2: a document type is not taken"},
		"another document":       {PSKC, "\n\n<html/>", "file:3: not a key container of RFC 6030"},
	} {
		said := ""
		switch file, err := Read(test.format, "file", strings.NewReader(test.text), Options{User: "alice"}); {
		case err != nil:
			said = err.Error()
		case len(file.Wrong) == 1:
			said = file.Wrong[0].Error()
		}
		if !strings.HasPrefix(said, test.want) {
			t.Errorf("%s: %q, want %q", name, said, test.want)
		}
	}
}

func TestTheLimitOfAFileIsTold(t *testing.T) {
	for name, test := range map[string]struct {
		format Format
		in     io.Reader
		want   string
	}{
		"google": {GoogleAuthenticator, endlessly(strings.Repeat("\n", 100) + " "), "the file is too large, want at most 64 KiB"},
		"oath":   {OATH, endlessly("#" + strings.Repeat(" x", 1<<14) + "\n"), fmt.Sprintf("file:%d: the file is too large, want at most 64 MiB", MaxFile/(1<<15+2)+1)},
		"pskc":   {PSKC, endlessly("<a/>"), "file: the file is too large, want at most 16 MiB"},
	} {
		if _, err := Read(test.format, "file", test.in, Options{User: "alice"}); err == nil || !strings.HasSuffix(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
}
