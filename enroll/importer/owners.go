package importer

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"twokey/enroll/batch"
)

// Owners is a list of who has which hardware token.
type Owners struct {
	name     string
	rows     []*owner
	bySerial map[string]*owner
	bad      []*batch.RowError
}

// owner is one row of the list.
type owner struct {
	line         int
	serial, user string
	twice        bool // the serial number is another row's too: none of them counts
}

const serialColumn = "serial"

// ReadOwners reads a table with a header and the columns serial and user, in any order. The user's may be called as in other tables. An
// error is about the table as a whole and begins with its name and a line; rows that are wrong are among those of the file that is read with it.
func ReadOwners(name string, r io.Reader) (*Owners, error) {
	o := &Owners{name: name, bySerial: map[string]*owner{}}
	c := &collector{file: &File{Name: name}}
	var serial, user int
	var header error
	begun := false
	err := c.eachLine(r, MaxFile, func(number int, text string) {
		switch {
		case header != nil:
		case begun:
			o.row(number, text, serial, user)
		default:
			begun = true
			if serial, user, header = ownerColumns(text); header != nil {
				header = &batch.RowError{File: name, Line: number, Err: header}
			}
		}
	})
	switch {
	case err != nil:
		return nil, err
	case header != nil:
		return nil, header
	case len(o.rows)+len(o.bad) == 0:
		return nil, &batch.RowError{File: name, Line: 1, Err: errors.New("there is no row in it: want a header serial,user and a line for each token")}
	}
	return o, nil
}

// ownerColumns finds the columns in the header.
func ownerColumns(line string) (serial, user int, err error) {
	names, err := cellsOf(line)
	if err != nil {
		return 0, 0, err
	}
	if len(names) == 1 && strings.Contains(line, ";") {
		return 0, 0, errors.New("the columns are separated by semicolons, want commas")
	}
	unknown := -1
	for i, name := range names {
		switch names[i] = strings.ToLower(strings.TrimSpace(name)); {
		case columns[names[i]] == "user":
			names[i] = "user"
		case names[i] != serialColumn && unknown < 0:
			unknown = i
		}
	}
	for _, needed := range []string{serialColumn, "user"} {
		if !slices.Contains(names, needed) {
			return 0, 0, fmt.Errorf("there is no column %s: want the header serial,user", needed)
		}
	}
	switch {
	case unknown >= 0: // not before: where there is no header it is a secret of a table that was meant for something else
		return 0, 0, fmt.Errorf("unknown column %.40q, want serial and user", names[unknown])
	case len(names) > 2:
		return 0, 0, errors.New("a column is there twice, want serial and user")
	}
	return slices.Index(names, serialColumn), slices.Index(names, "user"), nil
}

// cellsOf cuts a line. No cell has a line break in it.
func cellsOf(line string) ([]string, error) {
	r := csv.NewReader(strings.NewReader(line))
	r.TrimLeadingSpace = true // also before quotation marks
	cells, err := r.Read()
	var wrong *csv.ParseError
	if errors.As(err, &wrong) {
		err = wrong.Err // its line is always 1
	}
	return cells, err
}

func (o *Owners) row(line int, text string, serial, user int) {
	cells, err := cellsOf(text)
	if err == nil && len(cells) != 2 {
		err = fmt.Errorf("%d fields, the header has 2", len(cells))
	}
	if err != nil {
		o.fail(line, "", err)
		return
	}
	row := &owner{line: line, serial: strings.TrimSpace(cells[serial]), user: strings.TrimSpace(cells[user])}
	other := o.bySerial[row.serial]
	switch err := checkUser(row.user); {
	case err != nil:
		o.fail(line, "", err)
	case row.serial == "":
		o.fail(line, row.user, errors.New("there is no serial number"))
	case other != nil: // which is meant cannot be told, and the wrong one would get in
		o.fail(line, row.user, fmt.Errorf("the serial number %.40q is that of line %d too: neither counts", row.serial, other.line))
		other.twice = true
	default:
		o.rows = append(o.rows, row)
		o.bySerial[row.serial] = row
	}
}

func (o *Owners) fail(line int, user string, err error) {
	o.bad = append(o.bad, &batch.RowError{File: o.name, Line: line, Name: user, Err: err})
}

// wrong are the rows of which nothing comes, when these serial numbers were in the file.
func (o *Owners) wrong(seen map[string]bool, file string) []*batch.RowError {
	all := slices.Clone(o.bad)
	for _, row := range o.rows {
		if !seen[row.serial] && !row.twice {
			all = append(all, &batch.RowError{File: o.name, Line: row.line, Name: row.user,
				Err: fmt.Errorf("no token in %s has the serial number %.40q", file, row.serial)})
		}
	}
	return all
}
