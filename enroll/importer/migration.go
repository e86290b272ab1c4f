package importer

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"twokey/factor"
)

const migrationStart = "otpauth-migration://offline?data="

// part is one address, of which an export has several when it is large.
type part struct {
	version, size, index, id uint64
	accounts                 [][]byte
}

// account is one of its accounts, with the numbers of the format.
type account struct {
	secret                    []byte
	name, issuer              string
	algorithm, digits, method uint64
	counter                   uint64
}

// seenParts are those of one export.
type seenParts struct {
	line    int // of the first
	size    uint64
	indexes map[uint64]bool
}

func readMigration(c *collector, r io.Reader) error {
	exports := map[uint64]*seenParts{}
	err := c.eachLine(r, MaxFile, func(number int, text string) {
		p, err := readPart(text)
		if err != nil {
			c.wrong(number, c.options.User, err)
			return
		}
		if exports[p.id] == nil {
			exports[p.id] = &seenParts{number, p.size, map[uint64]bool{}}
		}
		seen := exports[p.id]
		if seen.indexes[p.index] || seen.size != p.size {
			c.wrong(number, c.options.User, errors.New("this part of the export is there twice, or is another export's"))
			return
		}
		seen.indexes[p.index] = true
		c.addAccounts(number, p)
	})
	for _, seen := range exports {
		if missing := seen.missing(); missing != "" {
			c.wrong(seen.line, c.options.User, fmt.Errorf("the export has %d parts, and %s missing: scan the other QR codes too", seen.size, missing))
		}
	}
	return err
}

// missing lists the parts that are not there, counted from 1.
func (s *seenParts) missing() string {
	var list []string
	for i := range s.size {
		if !s.indexes[i] {
			list = append(list, fmt.Sprint(i+1))
		}
	}
	switch len(list) {
	case 0:
		return ""
	case 1:
		return "part " + list[0] + " is"
	}
	return "parts " + strings.Join(list, ", ") + " are"
}

func (c *collector) addAccounts(line int, p *part) {
	for _, b := range p.accounts {
		a, err := readAccount(b)
		if err != nil {
			c.wrong(line, c.options.User, err)
			continue
		}
		issuer, label := a.names()
		f, err := a.device()
		f.line, f.user = line, c.userOf(label)
		if err != nil {
			c.wrong(line, printableOrNothing(f.user), err)
			continue
		}
		f.named(issuer, label)
		c.add(f)
	}
}

// names are what the app shows. An issuer may stand before a colon in the name too; that of its own field wins, as in addresses.
func (a *account) names() (issuer, label string) {
	colon := strings.LastIndexByte(a.name, ':')
	if issuer = a.issuer; issuer == "" && colon > 0 {
		issuer = a.name[:colon]
	}
	return issuer, strings.TrimLeft(a.name[colon+1:], " ")
}

func readPart(text string) (*part, error) {
	data, ok := strings.CutPrefix(text, migrationStart)
	if !ok {
		return nil, fmt.Errorf("does not begin with %s", migrationStart)
	}
	data, err := url.PathUnescape(data) // a plus is a plus
	if err != nil {
		return nil, errors.New("not percent-encoded rightly")
	}
	b, err := base64.RawStdEncoding.Strict().DecodeString(strings.TrimRight(data, "="))
	if err != nil {
		return nil, errors.New("not base64: is the address whole?")
	}
	p := &part{}
	err = eachField(b, map[protowire.Number]any{1: &p.accounts, 2: &p.version, 3: &p.size, 4: &p.index, 5: &p.id})
	switch {
	case err != nil:
		return nil, err
	case p.version > 2:
		return nil, fmt.Errorf("version %d of the format is unknown", p.version)
	}
	p.size = max(p.size, 1)
	if p.size > maxParts || p.index >= p.size {
		return nil, fmt.Errorf("part %d of %d", p.index, p.size)
	}
	return p, nil
}

// maxParts is far more than fit on a phone.
const maxParts = 1000

func readAccount(b []byte) (*account, error) {
	a := &account{}
	var name, issuer []byte
	err := eachField(b, map[protowire.Number]any{1: &a.secret, 2: &name, 3: &issuer, 4: &a.algorithm, 5: &a.digits, 6: &a.method, 7: &a.counter})
	if err != nil {
		return nil, err
	}
	a.name, a.issuer = string(name), string(issuer)
	return a, nil
}

var errProtobuf = errors.New("not what Google Authenticator exports: is the address whole?")

// eachField reads the fields of a message into what they belong to: numbers, bytes, or lists of bytes. Others are passed over. A field
// that is there twice, where there can be one, is an error: which one counts, readers disagree about.
func eachField(b []byte, into map[protowire.Number]any) error {
	var seen []protowire.Number
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return errProtobuf
		}
		b = b[n:]
		if n = protowire.ConsumeFieldValue(number, kind, b); n < 0 {
			return errProtobuf
		}
		value := b[:n]
		b = b[n:]
		target, known := into[number]
		if !known {
			continue
		}
		if _, several := target.(*[][]byte); !several && slices.Contains(seen, number) {
			return errProtobuf
		}
		seen = append(seen, number)
		if err := take(target, kind, value); err != nil {
			return err
		}
	}
	return nil
}

// take puts the value of a field where it belongs.
func take(target any, kind protowire.Type, value []byte) error {
	number, isNumber := target.(*uint64)
	if isNumber && kind == protowire.VarintType {
		*number, _ = protowire.ConsumeVarint(value)
		return nil
	}
	if isNumber || kind != protowire.BytesType {
		return errProtobuf
	}
	content, _ := protowire.ConsumeBytes(value)
	switch target := target.(type) {
	case *[]byte:
		*target = content
	case *[][]byte:
		*target = append(*target, content)
	}
	return nil
}

// device reads the numbers. 0 is what was not given.
func (a *account) device() (found, error) {
	f := found{device: usual(a.secret)}
	switch a.algorithm {
	case 0, 1:
	case 2:
		f.device.Algorithm = factor.SHA256
	case 3:
		f.device.Algorithm = factor.SHA512
	case 4:
		return f, errors.New("its algorithm is MD5, which is not known here")
	default:
		return f, fmt.Errorf("its algorithm has the number %d, which is unknown", a.algorithm)
	}
	switch a.digits {
	case 0, 1:
	case 2:
		f.device.Digits = 8
	default:
		return f, fmt.Errorf("its number of digits has the number %d, which is unknown", a.digits)
	}
	switch a.method {
	case 1:
		f.device = byCounter(f.device, a.counter)
	case 2:
	default:
		return f, errors.New("it is neither hotp nor totp")
	}
	return f, nil
}
