package batch

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"twokey/internal/csvcell"
)

// columns are those that a CSV file may have. Those of a device that are called otherwise than its field stand in deviceColumns.
var (
	userColumns   = []string{"user", "present", "phone", "recovery_codes"}
	deviceColumns = []string{"device", "device_present", "secret", "method", "digits", "period", "algorithm", "counter", "issuer", "label", "until", "provider"}
)

// deviceField is the field of a device that a column has.
func deviceField(column string) string {
	switch column {
	case "device":
		return "name"
	case "device_present":
		return "present"
	}
	return column
}

func (p *parser) readCSV(in *lines, first string) error {
	header, err := header(first)
	if err != nil {
		return in.wrongAt(max(in.number, 1), err) // an empty file has no line, and its first one is missing
	}
	for {
		line, err := in.next()
		if err == io.EOF {
			p.finishCSV()
			return nil
		}
		if err != nil {
			return err
		}
		if line == "" {
			continue
		}
		if err := p.count(in); err != nil {
			return err
		}
		p.row(in.number, line, header)
	}
}

func header(line string) ([]string, error) {
	names, err := cells(line)
	if err != nil {
		return nil, err
	}
	if len(names) == 1 && strings.Contains(line, ";") {
		return nil, errors.New("the columns are separated by semicolons, want commas")
	}
	if !slices.Contains(names, "user") {
		return nil, errors.New("there is no column user: want a header such as user,device,secret")
	}
	for i, name := range names {
		if !slices.Contains(userColumns, name) && !slices.Contains(deviceColumns, name) {
			return nil, fmt.Errorf("unknown column %s, want some of %s", shown(name), strings.Join(slices.Concat(userColumns, deviceColumns), ", "))
		}
		if slices.Contains(names[:i], name) {
			return nil, fmt.Errorf("the column %s is there twice", name)
		}
	}
	return names, nil
}

// cells cuts a line; the common case costs little.
func cells(line string) ([]string, error) {
	if !strings.ContainsAny(line, "\"\r") {
		return strings.Split(line, ","), nil
	}
	r := csv.NewReader(strings.NewReader(line))
	fields, err := r.Read()
	var wrong *csv.ParseError
	if errors.As(err, &wrong) {
		err = wrong.Err // its line is always 1
	}
	return fields, err
}

// row takes one line in. The errors of a line that has no user's name are nobody's.
func (p *parser) row(line int, text string, header []string) {
	fields, err := cells(text)
	if err == nil && len(fields) != len(header) {
		err = fmt.Errorf("%d fields, the header has %d", len(fields), len(header))
	}
	if err != nil {
		p.wrong(line, "", err)
		return
	}
	u, d := User{Line: line}, Device{Line: line, Name: UsualDevice}
	hasDevice := false
	for i, column := range header {
		if fields[i] == "" {
			continue
		}
		fields[i] = csvcell.Unescape(fields[i])
		known, err := u.set(column, fields[i])
		if !known {
			hasDevice = true
			_, err = d.set(deviceField(column), fields[i], p.options)
		}
		if err != nil {
			p.wrongLine(line, u.Name, ofField(column, err))
			return
		}
	}
	if u.Name == "" {
		p.wrong(line, "", errors.New("there is no user"))
		return
	}
	if hasDevice {
		u.Devices = []Device{d}
	}
	p.addLine(u)
}

func (p *parser) wrongLine(line int, user string, err error) {
	p.wrong(line, user, err)
	if user != "" {
		p.dropUser(user)
	}
}

// addLine takes a line in, which may be another device of a user who has been there.
func (p *parser) addLine(u User) {
	at, there := p.users[u.Name]
	switch {
	case !there:
		p.users[u.Name] = len(p.file.Users)
		p.file.Users = append(p.file.Users, u)
		return
	case at == wrongRow:
		p.wrong(u.Line, u.Name, errors.New("another line of this user is wrong"))
		return
	}
	first := &p.file.Users[at]
	var err error
	switch {
	case u.Absent || first.Absent || len(u.Devices) == 0 || len(first.Devices) == 0:
		err = twice("user", first.Line)
	case !repeats(u.Phone, first.Phone) || !repeats(u.Recovery, first.Recovery):
		err = fmt.Errorf("phone or recovery_codes are others than in line %d", first.Line)
	case len(first.Devices) == maxLines:
		err = fmt.Errorf("more than %d lines of one user", maxLines)
	case !u.Devices[0].Absent && first.staying() == MaxDevices:
		err = ErrManyDevices
	}
	for _, other := range first.Devices {
		if err == nil && other.Name == u.Devices[0].Name {
			err = twice(fmt.Sprintf("device %q", other.Name), other.Line)
		}
	}
	if err != nil {
		p.wrong(first.Line, u.Name, fmt.Errorf("see line %d", u.Line))
		p.wrongLine(u.Line, u.Name, err)
		return
	}
	first.Devices = append(first.Devices, u.Devices...)
}

// maxLines is how many lines a user may have in CSV, of which at most MaxDevices give him a device: each is compared with those before it.
const maxLines = 100

// repeats reports whether a field of a further line is empty or says what the first said.
func repeats[T comparable](again, first *T) bool {
	return again == nil || first != nil && *again == *first
}

// finishCSV checks the users when all of their lines are there.
func (p *parser) finishCSV() {
	for i := range p.file.Users {
		u := &p.file.Users[i]
		if u.Name == "" {
			continue
		}
		if err := u.check(); err != nil {
			p.wrongLine(u.Line, u.Name, err)
		}
	}
	p.finish()
	slices.SortStableFunc(p.file.Wrong, func(a, b *RowError) int { return a.Line - b.Line })
}
