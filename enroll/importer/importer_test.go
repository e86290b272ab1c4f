package importer

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/url"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"twokey/enroll/batch"
	"twokey/factor"
)

const (
	other32  = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
	otherHex = "48656c6c6f21deadbeef48656c6c6f21deadbeef"
)

// exported makes an address of Google's export.
func exported(size, index, id uint64, accounts ...[]byte) string {
	var b []byte
	for _, a := range accounts {
		b = protowire.AppendBytes(protowire.AppendTag(b, 1, protowire.BytesType), a)
	}
	for field, n := range map[protowire.Number]uint64{2: 1, 3: size, 4: index, 5: id} {
		b = protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), n)
	}
	return migrationStart + url.QueryEscape(base64.StdEncoding.EncodeToString(b)) + "\n"
}

func exportedAccount(secret, name string, numbers map[protowire.Number]uint64) []byte {
	b := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), secret)
	b = protowire.AppendString(protowire.AppendTag(b, 2, protowire.BytesType), name)
	for field, n := range numbers {
		b = protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), n)
	}
	return b
}

var (
	aliceAccount = exportedAccount(rfcSecret, "web1:alice@web1", map[protowire.Number]uint64{4: 2, 5: 2, 6: 2})
	bobAccount   = exportedAccount("another secret, long", "bob", map[protowire.Number]uint64{6: 1, 7: 9})
)

// raspberry is an export of the real application: the secret of the Raspberry Pi's page about two factors.
const raspberry = "otpauth-migration://offline?data=CjUKEPqlBekzoNEukL7qlsjBCDYSDnBpQHJhc3BiZXJyeXBpGgtyYXNwYmVycnlwaSABKAEwAhABGAEgACjr4JKK%2B%2F%2F%2F%2F%2F8B"

type sample struct {
	format  Format
	text    string
	options Options
	want    string // as text() has it; of what is wrong it is enough
}

// good are files of which something is taken, and seeds of the fuzz targets.
var good = map[string]sample{
	"google, with spaces and line ends of another kind": {GoogleAuthenticator, "gezd gnbv gy3t qojq gezd gnbv gy\r\n\" TOTP_AUTH\r\n", Options{User: "alice"},
		"1 alice phone GEZDGNBVGY3TQOJQGEZDGNBVGY totp 6 30 SHA1\n"},
	"google, what logins left": {GoogleAuthenticator, rfcBase32 + "\n\" RESETTING_TIME_SKEW 1\n\" LAST0 192.0.2.1 1700000000\n\" TOTP_AUTH\n\" TIME_SKEW 2\n\" RATE_LIMIT 3 30 1700000000\n", Options{User: "alice"},
		"1 alice phone " + rfcBase32 + " totp 6 30 SHA1\nalice: TIME_SKEW 2: the device's clock was off by so many steps; if its codes are not taken, set its clock\nalice: RATE_LIMIT 3 30: the throttle is another one here, and nobody's own\n"},
	"google, an option that is unknown": {GoogleAuthenticator, rfcBase32 + "\n\" TOTP_AUTH\n\" NEW_THING 1\n", Options{User: "alice"},
		"1 alice phone " + rfcBase32 + " totp 6 30 SHA1\nalice: the option \"NEW_THING\", which is unknown\n"},
	"google, 80 bits": {GoogleAuthenticator, "GEZDGNBVGY3TQOJQ\n\" TOTP_AUTH\n", Options{User: "alice", AllowShort: true},
		"1 alice phone GEZDGNBVGY3TQOJQ totp 6 30 SHA1\n"},
	"oath, two tokens of one user": {OATH, "HOTP/T30 alice - " + rfcHex + "\nHOTP alice - " + strings.ToUpper(otherHex) + " 4\n", Options{},
		"1 alice phone " + rfcBase32 + " totp 6 30 SHA1\n2 alice phone-2 " + other32 + " hotp 6 0 SHA1 counter 4\n"},
	"oath, one user of two": {OATH, "HOTP/T30 alice - " + rfcHex + "\nHOTP bob x zz 4\n", Options{User: "alice"},
		"1 alice phone " + rfcBase32 + " totp 6 30 SHA1\n"},
	"otpauth, by the label": {OTPAuth, "\ufeffotpauth://totp/web1:alice@web1?secret=" + rfcBase32 + "&digits=8\n\notpauth://hotp/bob?secret=" + other32 + "&counter=3", Options{},
		"1 alice phone " + rfcBase32 + " totp 8 30 SHA1 \"web1\" \"alice@web1\"\n3 bob phone " + other32 + " hotp 6 0 SHA1 counter 3 \"\" \"bob\"\n"},
	"otpauth, the issuer's parameter": {OTPAuth, "otpauth://totp/Old:alice@web1?issuer=Example%20Ltd&image=x&secret=" + rfcBase32, Options{},
		"1 alice phone " + rfcBase32 + " totp 6 30 SHA1 \"Example Ltd\" \"alice@web1\"\n"},
	"otpauth, an issuer that no list can have": {OTPAuth, "otpauth://totp/alice?issuer=a%3Ab&secret=" + rfcBase32, Options{},
		"1 alice phone " + rfcBase32 + " totp 6 30 SHA1 \"\" \"alice\"\nalice: the issuer \"a:b\" cannot be kept: want up to 128 bytes of printable text without a colon\n"},
	"otpauth, a label that no list can have": {OTPAuth, "otpauth://totp/a%C2%A0b?secret=" + rfcBase32, Options{User: "alice"},
		"1 alice phone " + rfcBase32 + " totp 6 30 SHA1\nalice: the label \"a\\u00a0b\" cannot be kept: want up to 256 bytes of printable text\n"},
	"otpauth, a user with an @": {OTPAuth, "otpauth://totp/alice@example.org?secret=" + rfcBase32, Options{Known: func(name string) bool { return name == "alice@example.org" }},
		"1 alice@example.org phone " + rfcBase32 + " totp 6 30 SHA1 \"\" \"alice@example.org\"\n"},
	"otpauth, one user's": {OTPAuth, "otpauth://totp/x@y?secret=" + rfcBase32, Options{User: "alice"}, "1 alice phone " + rfcBase32 + " totp 6 30 SHA1 \"\" \"x@y\"\n"},
	"migration, of the real application": {Migration, raspberry, Options{},
		"1 pi phone 7KSQL2JTUDIS5EF65KLMRQIIGY totp 6 30 SHA1 \"raspberrypi\" \"pi@raspberrypi\"\n"},
	"migration, several accounts in two parts": {Migration, exported(2, 1, 7, bobAccount) + exported(2, 0, 7, aliceAccount), Options{},
		"1 bob phone MFXG65DIMVZCA43FMNZGK5BMEBWG63TH hotp 6 0 SHA1 counter 9 \"\" \"bob\"\n2 alice phone " + rfcBase32 + " totp 8 30 SHA256 \"web1\" \"alice@web1\"\n"},
	"migration, an issuer with an escape": {Migration, exported(1, 0, 7, protowire.AppendString(protowire.AppendTag(aliceAccount, 3, protowire.BytesType), "\x1b[2J")), Options{},
		"1 alice phone " + rfcBase32 + " totp 8 30 SHA256 \"\" \"alice@web1\"\nalice: the issuer \"\\x1b[2J\" cannot be kept: want up to 128 bytes of printable text without a colon\n"},
	"csv, as apply has it": {CSV, "user,device,secret,method,digits,counter\nalice,token," + rfcBase32 + ",hotp,8,12\nalice,phone," + other32 + ",,,\n", Options{},
		"2 alice token " + rfcBase32 + " hotp 8 0 SHA1 counter 12\n3 alice phone " + other32 + " totp 6 30 SHA1\n"},
	"csv, other names of columns": {CSV, "\ufeffName,\"Key\",Interval\r\nalice," + rfcBase32 + ",60\r\n", Options{}, "2 alice phone " + rfcBase32 + " totp 6 60 SHA1\n"},
	"csv, one user of two":        {CSV, "user,secret\nalice," + rfcBase32 + "\nbob,x\n", Options{User: "alice"}, "2 alice phone " + rfcBase32 + " totp 6 30 SHA1\n"},
	"pskc":                        {PSKC, container(pkg("", "987", "hotp", "<Counter><PlainValue>5</PlainValue></Counter>", "")), Options{User: "alice"}, "1 alice 987 " + rfcBase32 + " hotp 6 0 SHA1 counter 5\n"},
}

func TestWhatIsRead(t *testing.T) {
	for name, s := range good {
		t.Run(name, func(t *testing.T) {
			if got := text(read(t, s.format, s.text, s.options)); got != s.want {
				t.Errorf("got\n%swant\n%s", got, s.want)
			}
		})
	}
}

// wrongRows are files with a row that is wrong.
var wrongRows = map[string]sample{
	"google, nothing":                  {GoogleAuthenticator, "", Options{User: "alice"}, "file:1: alice: there is no secret"},
	"google, not base32":               {GoogleAuthenticator, "GEZDGNBV1\n\" TOTP_AUTH\n", Options{User: "alice"}, "file:1: alice: secret"},
	"google, an option first":          {GoogleAuthenticator, "\" TOTP_AUTH\n" + rfcBase32, Options{User: "alice"}, "file:1: alice: secret"},
	"google, 80 bits":                  {GoogleAuthenticator, "GEZDGNBVGY3TQOJQ\n\" TOTP_AUTH\n", Options{User: "alice"}, "secret is shorter than 128 bits"},
	"google, neither time nor counter": {GoogleAuthenticator, rfcBase32 + "\n\" WINDOW_SIZE 3\n", Options{User: "alice"}, "want one of the options TOTP_AUTH and HOTP_COUNTER"},
	"google, both":                     {GoogleAuthenticator, rfcBase32 + "\n\" TOTP_AUTH\n\" HOTP_COUNTER 1\n", Options{User: "alice"}, "want one of the options"},
	"google, an option twice":          {GoogleAuthenticator, rfcBase32 + "\n\" HOTP_COUNTER 1\n\" HOTP_COUNTER 2\n", Options{User: "alice"}, "file:3: alice: the option \"HOTP_COUNTER\" is there twice"},
	"google, a counter below zero":     {GoogleAuthenticator, rfcBase32 + "\n\" HOTP_COUNTER -1\n", Options{User: "alice"}, "HOTP_COUNTER: \"-1\" is not a plain number"},
	"google, a counter too high":       {GoogleAuthenticator, rfcBase32 + "\n\" HOTP_COUNTER 9007199254740992\n", Options{User: "alice"}, "above 2^53-1"},
	"google, a step of 5 s":            {GoogleAuthenticator, rfcBase32 + "\n\" TOTP_AUTH\n\" STEP_SIZE 5\n", Options{User: "alice"}, "STEP_SIZE: want 10 to 300 seconds"},
	"google, a second secret":          {GoogleAuthenticator, rfcBase32 + "\n\" TOTP_AUTH\n" + rfcBase32 + "\n", Options{User: "alice"}, "file:3: alice: neither an option nor a scratch code"},
	"google, somebody's shadow":        {GoogleAuthenticator, "root:$6$abc:19000:0:99999:7:::\n", Options{User: "alice"}, "file:1: alice: secret"},
	"google, nobody's":                 {GoogleAuthenticator, rfcBase32 + "\n\" TOTP_AUTH\n", Options{}, "it is not said whose it is"},

	"oath, three fields":         {OATH, "HOTP alice -\n", Options{}, "file:1: alice: 3 fields, want 4 to 7"},
	"oath, eight fields":         {OATH, "HOTP alice - " + rfcHex + " 1 123456 2026-11-22T10:00:00L x\n", Options{}, "8 fields"},
	"oath, an unknown type":      {OATH, "MOTP alice - " + rfcHex + "\n", Options{}, "want HOTP, HOTP/E, HOTP/T30 or HOTP/T60"},
	"oath, steps of 90 s":        {OATH, "HOTP/T90 alice - " + rfcHex + "\n", Options{}, "want E, T30 or T60"},
	"oath, 5 digits":             {OATH, "HOTP/T30/5 alice - " + rfcHex + "\n", Options{}, "want 6, 7 or 8 digits"},
	"oath, 67 digits":            {OATH, "HOTP/T30/67 alice - " + rfcHex + "\n", Options{}, "want 6, 7 or 8 digits"},
	"oath, no digits":            {OATH, "HOTP/T30/ alice - " + rfcHex + "\n", Options{}, "want 6, 7 or 8 digits"},
	"oath, four parts":           {OATH, "HOTP/T30/6/6 alice - " + rfcHex + "\n", Options{}, "want HOTP"},
	"oath, lower case":           {OATH, "hotp alice - " + rfcHex + "\n", Options{}, "want HOTP"},
	"oath, not hexadecimal":      {OATH, "HOTP alice - " + rfcBase32 + "\n", Options{}, "the secret is not hexadecimal"},
	"oath, half a byte":          {OATH, "HOTP alice - " + rfcHex[1:] + "\n", Options{}, "the secret is not hexadecimal"},
	"oath, 0x":                   {OATH, "HOTP alice - 0x" + rfcHex + "\n", Options{}, "the secret is not hexadecimal"},
	"oath, no secret":            {OATH, "HOTP alice - -\n", Options{}, "the secret is not hexadecimal"},
	"oath, 8 bytes":              {OATH, "HOTP alice - " + rfcHex[:16] + "\n", Options{AllowShort: true}, "secret"},
	"oath, a counter below zero": {OATH, "HOTP alice - " + rfcHex + " -1\n", Options{}, "counter: \"-1\" is not a plain number"},
	"oath, a counter too high":   {OATH, "HOTP alice - " + rfcHex + " 18446744073709551615 123456\n", Options{}, "above 2^53-1"},
	"oath, the user ../root":     {OATH, "HOTP ../root - " + rfcHex + "\n", Options{}, "\"../root\" cannot be the name of a user"},
	"oath, the same line twice":  {OATH, "HOTP/T30 alice - " + rfcHex + "\nHOTP/T30 alice - " + rfcHex + "\n", Options{}, "file:2: alice: the secret is that of line 1"},

	"otpauth, another scheme":       {OTPAuth, "http://totp/alice?secret=" + rfcBase32, Options{}, "file:1: otpauth address"},
	"otpauth, 99 digits":            {OTPAuth, "otpauth://totp/alice?secret=" + rfcBase32 + "&digits=99", Options{}, "file:1: alice: otpauth address"},
	"otpauth, MD5":                  {OTPAuth, "otpauth://totp/web1:alice@web1?algorithm=MD5&secret=" + rfcBase32, Options{}, "file:1: alice: otpauth address: unknown algorithm"},
	"otpauth, another type":         {OTPAuth, "otpauth://steam/alice?secret=" + rfcBase32, Options{}, "file:1: alice: otpauth address: method"},
	"otpauth, not base32":           {OTPAuth, "otpauth://totp/alice@web1?secret=01", Options{}, "file:1: alice: otpauth address: secret"},
	"otpauth, no question mark":     {OTPAuth, "otpauth://totp/alice&secret=" + rfcBase32, Options{}, "file:1: otpauth address: no parameters"},
	"otpauth, secret for account":   {OTPAuth, "otpauth://totp/" + rfcBase32 + "?secret=alice", Options{}, "file:1: otpauth address: secret"},
	"otpauth, 80 bits":              {OTPAuth, "otpauth://totp/alice?secret=GEZDGNBVGY3TQOJQ", Options{}, "shorter than 128 bits"},
	"otpauth, an export":            {OTPAuth, raspberry, Options{}, "file:1: otpauth address"},
	"otpauth, nobody":               {OTPAuth, "otpauth://totp/@host?secret=" + rfcBase32, Options{}, "it is not said whose it is"},
	"otpauth, a path for a user":    {OTPAuth, "otpauth://totp/a%2Fb@host?secret=" + rfcBase32, Options{}, "cannot be the name of a user"},
	"otpauth, a folder for a user":  {OTPAuth, "otpauth://totp/..@host?secret=" + rfcBase32, Options{}, "cannot be the name of a user"},
	"migration, another scheme":     {Migration, "otpauth://totp/alice?secret=" + rfcBase32, Options{}, "does not begin with"},
	"migration, not base64":         {Migration, migrationStart + "!!!", Options{}, "not base64"},
	"migration, percent":            {Migration, migrationStart + "%zz", Options{}, "not percent-encoded"},
	"migration, cut off":            {Migration, raspberry[:80], Options{}, "is the address whole?"},
	"migration, a part missing":     {Migration, exported(3, 1, 7, aliceAccount), Options{}, "the export has 3 parts, and parts 1, 3 are missing"},
	"migration, the last missing":   {Migration, exported(2, 0, 7, aliceAccount), Options{}, "the export has 2 parts, and part 2 is missing"},
	"migration, a part twice":       {Migration, exported(1, 0, 7, aliceAccount) + exported(1, 0, 7, bobAccount), Options{}, "file:2: this part of the export is there twice"},
	"migration, part 5 of 2":        {Migration, exported(2, 5, 7, aliceAccount), Options{}, "part 5 of 2"},
	"migration, endless parts":      {Migration, exported(1<<60, 0, 7, aliceAccount), Options{}, "part 0 of"},
	"migration, MD5":                {Migration, exported(1, 0, 7, exportedAccount(rfcSecret, "alice", map[protowire.Number]uint64{4: 4, 6: 2})), Options{}, "file:1: alice: its algorithm is MD5"},
	"migration, algorithm 9":        {Migration, exported(1, 0, 7, exportedAccount(rfcSecret, "alice", map[protowire.Number]uint64{4: 9, 6: 2})), Options{}, "has the number 9"},
	"migration, digits 7":           {Migration, exported(1, 0, 7, exportedAccount(rfcSecret, "alice", map[protowire.Number]uint64{5: 7, 6: 2})), Options{}, "has the number 7"},
	"migration, no type":            {Migration, exported(1, 0, 7, exportedAccount(rfcSecret, "alice", nil)), Options{}, "neither hotp nor totp"},
	"migration, no secret":          {Migration, exported(1, 0, 7, exportedAccount("", "alice", map[protowire.Number]uint64{6: 2})), Options{}, "secret"},
	"migration, two secrets":        {Migration, exported(1, 0, 7, append(exportedAccount(rfcSecret, "a", map[protowire.Number]uint64{6: 2}), aliceAccount...)), Options{}, "not what Google Authenticator exports"},
	"migration, a number for bytes": {Migration, exported(1, 0, 7, []byte{1 << 3, 1}), Options{}, "not what Google Authenticator exports"},
	"migration, a name with escape": {Migration, exported(1, 0, 7, exportedAccount(rfcSecret, "\x1b[2Jalice", map[protowire.Number]uint64{6: 2})), Options{}, "cannot be the name of a user"},

	"csv, no secret in the row":    {CSV, "user,secret\nalice,\n", Options{}, "file:2: alice: there is no secret"},
	"csv, no secret beside others": {CSV, "user,secret,digits\nalice,,8\n", Options{}, "file:2: alice: there is no secret"},
	"csv, not base32":              {CSV, "user,secret\nalice,01890\n", Options{}, "file:2: alice: secret"},
	"csv, 80 bits":                 {CSV, "user,secret\nalice,GEZDGNBVGY3TQOJQ\n", Options{}, "shorter than 128 bits"},
	"csv, another number of cells": {CSV, "user,secret\nalice," + rfcBase32 + ",x\n", Options{}, "file:2: 3 fields, the header has 2"},
	"csv, digits 99":               {CSV, "user,secret,digits\nalice," + rfcBase32 + ",99\n", Options{}, "file:2: alice: digits"},
	"csv, one secret twice":        {CSV, "user,device,secret\nalice,a," + rfcBase32 + "\nalice,b," + rfcBase32 + "\n", Options{}, "file:3: alice: the secret is that of line 2"},
}

func TestARowThatIsWrong(t *testing.T) {
	for name, s := range wrongRows {
		t.Run(name, func(t *testing.T) {
			file := read(t, s.format, s.text, s.options)
			if len(file.Wrong) != 1 || !strings.Contains(file.Wrong[0].Error(), s.want) {
				t.Errorf("got\n%swant one error with %q", text(file), s.want)
			}
		})
	}
}

func TestARowThatIsWrongStopsNoOther(t *testing.T) {
	files := map[Format]string{
		OATH:    "HOTP alice - zz\nHOTP/T30 bob - " + rfcHex + "\n",
		OTPAuth: "otpauth://totp/alice?secret=1\notpauth://totp/bob?secret=" + rfcBase32 + "\n",
		Migration: exported(1, 0, 1, exportedAccount("x", "alice", map[protowire.Number]uint64{6: 2}),
			exportedAccount(rfcSecret, "bob", map[protowire.Number]uint64{6: 2})),
		CSV:  "user,secret\nalice,1\nbob," + rfcBase32 + "\n",
		PSKC: container(pkg("alice", "1", "ocra", "", "") + pkg("bob", "phone", "totp", "", "")),
	}
	for format, content := range files {
		file := read(t, format, content, Options{})
		if len(file.Users) != 1 || len(file.Wrong) != 1 || file.Users[0].Name != "bob" || file.Wrong[0].Name != "alice" ||
			!strings.HasPrefix(deviceText(file.Users[0].Devices[0]), "phone "+rfcBase32+" totp 6 30 SHA1") {
			t.Errorf("%s:\n%s", format, text(file))
		}
	}
}

// wholeFiles are files of which nothing can be used.
var wholeFiles = map[string]sample{
	"csv, empty":             {CSV, "", Options{}, "there is no column user"},
	"csv, no header":         {CSV, rfcBase32 + ",alice\n", Options{}, "there is no column user"},
	"csv, another column":    {CSV, "user,secret,colour\n", Options{}, "file:1: unknown column \"colour\""},
	"csv, without a header":  {CSV, rfcBase32 + ",alice\n", Options{}, "there is no column user"},
	"csv, recovery codes":    {CSV, "user,secret,recovery_codes\n", Options{}, "unknown column"},
	"csv, taking away":       {CSV, "user,secret,present\n", Options{}, "unknown column"},
	"csv, no user":           {CSV, "secret\n", Options{}, "there is no column user"},
	"csv, no secret":         {CSV, "user\n", Options{}, "there is no column secret"},
	"csv, two users":         {CSV, "user,name,secret\n", Options{}, "the column user is there twice"},
	"csv, not UTF-8":         {CSV, "user,secret\n\xff," + rfcBase32 + "\n", Options{}, "not UTF-8"},
	"oath, not UTF-8":        {OATH, "HOTP \xff - " + rfcHex + "\n", Options{}, "file:1: not UTF-8"},
	"oath, an endless line":  {OATH, strings.Repeat("x", maxLine+1), Options{}, "file:1: a line is longer than 64 KiB"},
	"csv, an endless line":   {CSV, strings.Repeat("x", maxLine+1), Options{}, "file:1: a line is longer than 64 KiB"},
	"google, an image":       {GoogleAuthenticator, "\x89PNG\r\n\x1a\n", Options{User: "alice"}, "not UTF-8"},
	"pskc, nothing":          {PSKC, "", Options{}, "not an XML document"},
	"pskc, something else":   {PSKC, "<html/>", Options{}, "not a key container"},
	"pskc, another space":    {PSKC, `<KeyContainer Version="1.0" xmlns="urn:x"/>`, Options{}, "not a key container"},
	"pskc, another version":  {PSKC, `<KeyContainer Version="2.0" xmlns="` + pskcSpace + `"/>`, Options{}, "not a key container"},
	"pskc, no key":           {PSKC, container(""), Options{}, "there is no key in it"},
	"pskc, cut off":          {PSKC, container(pkg("a", "1", "totp", "", ""))[:300], Options{}, "not XML"},
	"pskc, two at the top":   {PSKC, container("") + container(""), Options{}, "one element at the top"},
	"pskc, a document type":  {PSKC, `<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/shadow">]>` + container(""), Options{}, "a document type is not taken"},
	"pskc, an entity":        {PSKC, container("&x;"), Options{}, "not XML"},
	"pskc, another encoding": {PSKC, `<?xml version="1.0" encoding="ISO-8859-1"?>` + container(""), Options{}, "not XML"},
}

func TestAFileThatIsWrong(t *testing.T) {
	for name, s := range wholeFiles {
		t.Run(name, func(t *testing.T) {
			file, err := Read(s.format, "file", strings.NewReader(s.text), s.options)
			if file != nil || err == nil || !strings.Contains(err.Error(), s.want) || !strings.HasPrefix(err.Error(), "file:") {
				t.Errorf("%v, want one with %q", err, s.want)
			}
		})
	}
}

// endless gives the same text for ever.
type endless struct {
	text string
	at   int
}

func (e *endless) Read(p []byte) (n int, err error) {
	for n < len(p) {
		copied := copy(p[n:], e.text[e.at:])
		n, e.at = n+copied, (e.at+copied)%len(e.text)
	}
	return n, nil
}

func endlessly(text string) io.Reader { return &endless{text: text} }

func TestFilesThatAreTooLarge(t *testing.T) {
	for name, test := range map[string]struct {
		format Format
		in     io.Reader
		want   string
	}{
		"google":            {GoogleAuthenticator, endlessly(strings.Repeat("\n", 100) + " "), ErrSize.Error()},
		"oath":              {OATH, endlessly("#" + strings.Repeat(" x", 1<<14) + "\n"), ErrSize.Error()},
		"oath, lines":       {OATH, endlessly("#\n"), "more than 262144 lines"},
		"csv":               {CSV, io.MultiReader(strings.NewReader("user,secret\n"), endlessly(strings.Repeat(" ", 60_000)+"\n")), batch.ErrSize.Error()},
		"pskc":              {PSKC, endlessly("<a/>"), ErrSize.Error()},
		"pskc, elements":    {PSKC, io.LimitReader(endlessly("<a/>"), 4<<20), "more than 524288 elements"},
		"pskc, pieces":      {PSKC, io.MultiReader(strings.NewReader("<a>"), io.LimitReader(endlessly("x<!-- -->"), 4<<20)), "more than 64 KiB of text"},
		"something unknown": {"other", endlessly("x"), "unknown format"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read(test.format, "file", test.in, Options{User: "alice"})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
}

// Whoever reads an error in a log or over a shoulder learns no secret.
func TestNoErrorRepeatsASecret(t *testing.T) {
	secrets := []string{rfcBase32, rfcHex, rfcSecret, base64.StdEncoding.EncodeToString([]byte(rfcSecret)), "GEZDGNBV", "313233343536", raspberry[40:60]}
	check := func(name, said string) {
		for _, secret := range secrets {
			if strings.Contains(said, secret) {
				t.Errorf("%s: %s", name, said)
			}
		}
	}
	for name, s := range wrongRows {
		for _, w := range read(t, s.format, s.text, s.options).Wrong {
			check(name, w.Error())
		}
	}
	for name, s := range wholeFiles {
		_, err := Read(s.format, "file", strings.NewReader(s.text), s.options)
		check(name, err.Error())
	}
	for name, s := range good {
		for _, u := range read(t, s.format, s.text, s.options).Users {
			check(name, fmt.Sprintf("%v %+v %q", u.User, u.Devices, u.Left))
		}
	}
}

// On a host whose new devices have 8 digits, the old ones go on with 6.
func TestWhatIsNotSaidIsUsualEverywhere(t *testing.T) {
	for name, s := range good {
		for _, u := range read(t, s.format, s.text, s.options).Users {
			for _, d := range u.Devices {
				if d.Method == "" || d.Digits == 0 || d.Algorithm == "" || d.Method == factor.TOTP && d.Period == 0 || d.Method == factor.HOTP && d.Counter == nil {
					t.Errorf("%s: %s", name, deviceText(d))
				}
			}
		}
	}
}

func TestWhatIsLeftBehindIsNamed(t *testing.T) {
	for name, test := range map[string]struct {
		format Format
		text   string
		want   string
	}{
		"the window":       {GoogleAuthenticator, rfcBase32 + "\n\" WINDOW_SIZE 17\n\" TOTP_AUTH\n", "WINDOW_SIZE 17, ±8 steps"},
		"a strange window": {GoogleAuthenticator, rfcBase32 + "\n\" WINDOW_SIZE many\n\" TOTP_AUTH\n", "WINDOW_SIZE is not a number"},
		"scratch codes":    {GoogleAuthenticator, rfcBase32 + "\n\" TOTP_AUTH\n12345678\n23456789\n", "2 scratch codes of 8 digits end"},
		"a PIN":            {OATH, "HOTP alice 1234 " + rfcHex + "\n", "a PIN was asked for"},
		"a token's PIN":    {PSKC, container(pkg("alice", "1", "hotp", "", `<PINPolicy MinLength="4"/><KeyUsage>OTP</KeyUsage>`)), "a PIN belongs to the token"},
		"a first day":      {PSKC, container(pkg("alice", "1", "hotp", "", "<StartDate>2030-01-01T00:00:00Z</StartDate>")), "it was to be good from"},
		"a number of uses": {PSKC, container(pkg("alice", "1", "hotp", "", "<NumberOfTransactions>9</NumberOfTransactions>")), "how often it may be used"},
		"a drift":          {PSKC, container(pkg("alice", "1", "totp", "<TimeDrift><PlainValue>-3</PlainValue></TimeDrift>", "")), "its clock was off by \"-3\" steps"},
		"a token's names": {PSKC, strings.NewReplacer("<SerialNo>", "<Manufacturer> Acme </Manufacturer><Model>X\x7f</Model><ExpiryDate>2030-01-01T00:00:00Z</ExpiryDate><SerialNo>",
			"<Data>", `<FriendlyName xml:lang="en">token</FriendlyName><FriendlyName xml:lang="de">Marke</FriendlyName><Issuer/><Data>`).Replace(container(pkg("alice", "1", "hotp", "", ""))),
			`not kept: Manufacturer "Acme", Model "X\x7f", ExpiryDate "2030-01-01T00:00:00Z", FriendlyName "token", FriendlyName "Marke"`},
		"another's secret": {CSV, "user,secret\nbob," + rfcBase32 + "\nalice," + rfcBase32 + "\n", "the secret is that of bob too"},
	} {
		file := read(t, test.format, test.text, Options{User: map[bool]string{true: "alice"}[test.format == GoogleAuthenticator]})
		if u := file.Users[len(file.Users)-1]; len(file.Wrong) > 0 || u.Name != "alice" || len(u.Left) != 1 || !strings.HasPrefix(u.Left[0], test.want) {
			t.Errorf("%s:\n%s", name, text(file))
		}
	}
}
