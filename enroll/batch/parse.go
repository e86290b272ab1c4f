package batch

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"twokey/device"
	"twokey/enroll"
)

// parser builds a File.
type parser struct {
	file    *File
	options Options
	users   map[string]int // name -> index in file.Users, or wrongRow
	groups  map[string]int
	rows    int
}

// wrongRow stands for a name of which no row counts.
const wrongRow = -1

func (p *parser) read(in *lines) error {
	first, err := in.next()
	if err != nil && err != io.EOF {
		return err
	}
	if p.isCSV(first) {
		return p.readCSV(in, first)
	}
	return p.readYAML(in, first)
}

func (p *parser) isCSV(first string) bool {
	switch strings.ToLower(filepath.Ext(p.file.Name)) {
	case ".csv":
		return true
	case ".yaml", ".yml":
		return false
	}
	return strings.ContainsAny(first, ",;") && !strings.Contains(first, ":") || first == "user"
}

// wrong keeps a row out that begins in a line.
func (p *parser) wrong(line int, name string, err error) {
	p.file.Wrong = append(p.file.Wrong, &RowError{File: p.file.Name, Line: LineOf(err, line), Name: name, Err: err})
}

// count ends the reading of what can only be a mistake, or an attack on the memory.
func (p *parser) count(in *lines) error {
	if p.rows++; p.rows > maxRows {
		return in.wrong(fmt.Errorf("more than %d entries", maxRows))
	}
	return nil
}

// addUser takes a user in whose name is not there yet. Of two with the same name neither counts: which was meant cannot be told.
func (p *parser) addUser(u User) {
	if err := u.check(); err != nil {
		p.wrong(u.Line, u.Name, err)
		p.dropUser(u.Name)
		return
	}
	at, there := p.users[u.Name]
	if !there {
		p.users[u.Name] = len(p.file.Users)
		p.file.Users = append(p.file.Users, u)
		return
	}
	other := 0
	if at != wrongRow {
		other = p.file.Users[at].Line
		p.wrong(other, u.Name, fmt.Errorf("the user is there twice, again in line %d", u.Line))
	}
	p.wrong(u.Line, u.Name, twice("user", other))
	p.dropUser(u.Name)
}

func twice(what string, line int) error {
	if line == 0 {
		return fmt.Errorf("the %s is there several times", what)
	}
	return fmt.Errorf("the %s is there twice, before in line %d", what, line)
}

// dropUser takes a user out again; his name stays known, so that no further row of his counts.
func (p *parser) dropUser(name string) {
	if at, there := p.users[name]; there && at != wrongRow {
		p.file.Users[at].Name = "" // see finish
	}
	p.users[name] = wrongRow
}

// addGroup is addUser for a group.
func (p *parser) addGroup(g Group) {
	if err := g.check(); err != nil {
		p.wrong(g.Line, g.Name, err)
		p.dropGroup(g.Name)
		return
	}
	at, there := p.groups[g.Name]
	if !there {
		p.groups[g.Name] = len(p.file.Groups)
		p.file.Groups = append(p.file.Groups, g)
		return
	}
	other := 0
	if at != wrongRow {
		other = p.file.Groups[at].Line
		p.wrong(other, g.Name, fmt.Errorf("the group is there twice, again in line %d", g.Line))
	}
	p.wrong(g.Line, g.Name, twice("group", other))
	p.dropGroup(g.Name)
}

// dropGroup is dropUser for a group.
func (p *parser) dropGroup(name string) {
	if at, there := p.groups[name]; there && at != wrongRow {
		p.file.Groups[at].Name = "" // see finish
	}
	p.groups[name] = wrongRow
}

// finish takes out what was dropped.
func (p *parser) finish() {
	p.file.Users = slices.DeleteFunc(p.file.Users, func(u User) bool { return u.Name == "" })
	p.file.Groups = slices.DeleteFunc(p.file.Groups, func(g Group) bool { return g.Name == "" })
}

// check looks at what several fields say together.
func (u *User) check() error {
	switch {
	case u.Absent && (len(u.Devices) > 0 || u.Phone != nil || u.Recovery != nil || u.Require != nil || u.Exempt != nil):
		return errors.New("present is false, so nothing else can be given")
	case u.Require != nil && u.Exempt != nil:
		return errors.New("require and exempt are two different things")
	}
	for i := range u.Devices {
		d := &u.Devices[i]
		if err := u.checkDevice(d, u.Devices[:i]); err != nil {
			return &at{d.Line, err}
		}
	}
	if u.staying() > MaxDevices {
		return ErrManyDevices
	}
	return nil
}

// staying is how many devices the user shall have of those that are given.
func (u *User) staying() int {
	n := 0
	for i := range u.Devices {
		if !u.Devices[i].Absent {
			n++
		}
	}
	return n
}

// checkDevice looks at a device, those before it, and its user.
func (u *User) checkDevice(d *Device, before []Device) error {
	if err := d.check(); err != nil {
		return err
	}
	for _, other := range before {
		switch {
		case other.Name == d.Name:
			return fmt.Errorf("the device %q is there twice, in the lines %d and %d", d.Name, other.Line, d.Line)
		case d.sent() && other.Method == d.Method:
			return fmt.Errorf("%w, in the lines %d and %d", enroll.ErrSamePhone, other.Line, d.Line)
		}
	}
	if d.Method == device.SMS && u.Phone != nil && *u.Phone == "" {
		return errNoPhone
	}
	return nil
}

func (g *Group) check() error {
	switch {
	case g.Absent && (g.Require != nil || g.Exempt != nil || g.Device != nil):
		return errors.New("present is false, so nothing else can be given")
	case g.Require != nil && g.Exempt != nil:
		return errors.New("require and exempt are two different things")
	case !g.Absent && g.Require == nil && g.Exempt == nil && g.Device == nil:
		return errors.New("want require, exempt, device, or present: false")
	case g.Device == nil:
		return nil
	case g.Device.Absent:
		return errors.New("device: a group cannot take a device from everybody")
	case g.Device.Secret != nil:
		return errors.New("device: one secret for all members would be none")
	}
	return g.Device.check()
}
