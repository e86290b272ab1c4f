package importer

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"twokey/enroll/batch"
	"twokey/factor"
)

// columns are what twokey apply calls what others call otherwise.
var columns = map[string]string{
	"user": "user", "name": "user", "username": "user", "login": "user",
	"secret": "secret", "key": "secret", "seed": "secret",
	"method": "method", "type": "method", "period": "period", "interval": "period",
	"device": "device", "digits": "digits", "algorithm": "algorithm", "counter": "counter", "issuer": "issuer", "label": "label",
	"until": "until", "phone": "phone",
}

// readCSV leaves everything but the header to what apply reads.
func readCSV(c *collector, r io.Reader) error {
	in := bufio.NewReaderSize(r, maxLine)
	first, err := in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return c.whole(&atLine{1, errLine})
	}
	if err != nil && err != io.EOF {
		return c.whole(err)
	}
	header, err := translate(string(first))
	if err != nil {
		return c.whole(&atLine{1, err})
	}
	file, err := batch.Parse(c.file.Name, io.MultiReader(strings.NewReader(header+"\n"), in), batch.Options{AllowShort: c.options.AllowShort})
	if err != nil {
		return err
	}
	for _, w := range file.Wrong {
		if c.options.User == "" || w.Name == c.options.User {
			c.wrong(w.Line, w.Name, w.Err)
		}
	}
	for i := range file.Users {
		if u := &file.Users[i]; c.options.User == "" || u.Name == c.options.User {
			c.addRow(u)
		}
	}
	return nil
}

// translate turns a header into that of apply.
func translate(line string) (string, error) {
	names := strings.Split(strings.TrimSpace(strings.TrimPrefix(line, "\ufeff")), ",")
	unknown := ""
	for i, name := range names {
		names[i] = columns[strings.ToLower(strings.Trim(strings.TrimSpace(name), `"`))]
		if names[i] == "" && unknown == "" {
			unknown = name
		}
	}
	for _, needed := range []string{"user", "secret"} {
		if !slices.Contains(names, needed) {
			return "", fmt.Errorf("there is no column %s: want a header such as user,secret", needed)
		}
	}
	if unknown != "" { // not before: where there is no header it is a secret
		return "", fmt.Errorf("unknown column %.40q, want some of %s", unknown, strings.Join(knownColumns(), ", "))
	}
	return strings.Join(names, ","), nil
}

func knownColumns() []string {
	var names []string
	for name := range columns {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// addRow fills in what is usual everywhere, whatever is usual on this host: the devices exist already.
func (c *collector) addRow(u *batch.User) {
	for _, d := range u.Devices {
		if d.Secret == nil {
			c.wrong(d.Line, u.Name, errors.New("there is no secret"))
			continue
		}
		filled := d
		set := usual(d.Secret)
		filled.Method = cmp.Or(d.Method, set.Method)
		filled.Digits, filled.Algorithm = cmp.Or(d.Digits, set.Digits), cmp.Or(d.Algorithm, set.Algorithm)
		if filled.Method == factor.TOTP {
			filled.Period = cmp.Or(d.Period, set.Period)
		} else if d.Counter == nil {
			filled.Counter = new(uint64)
		}
		c.add(found{line: d.Line, user: u.Name, device: filled})
	}
	if len(u.Devices) == 0 {
		c.wrong(u.Line, u.Name, errors.New("there is no secret"))
	}
	if i, there := c.at[u.Name]; there {
		c.file.Users[i].Phone = u.Phone
	}
}
