package sysuser

import (
	"errors"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"twokey/internal/safefile"
)

// membership is who is in a group, read once for many users: each question to libc is a walk through the whole of /etc/group.
type membership struct {
	gid   uint32
	names map[string]bool
	whole bool // nobody else is in it but by his primary group
	err   error
}

// InGroup is [Account.InGroup] for many users. It may be called by several goroutines at once.
func (d *Directory) InGroup(a Account, group string) (bool, error) {
	if d == nil || d.listed == nil {
		return a.InGroup(group)
	}
	switch m := d.membership(group); {
	case m.err != nil:
		return false, m.err
	case a.GID == m.gid || m.names[a.Name]:
		return true, nil
	case m.whole:
		return false, nil
	}
	return a.InGroup(group)
}

func (d *Directory) membership(group string) *membership {
	d.lock.Lock()
	defer d.lock.Unlock()
	if m := d.groups[group]; m != nil {
		return m
	}
	m := readMembership(group)
	if d.groups == nil {
		d.groups = map[string]*membership{}
	}
	d.groups[group] = m
	return m
}

func readMembership(group string) *membership {
	names, err := Members(group)
	if err != nil {
		return &membership{err: err}
	}
	gid, err := GroupID(group)
	if err != nil {
		return &membership{err: err}
	}
	m := &membership{gid: gid, names: map[string]bool{}}
	if text, err := readSystem("/etc/group"); err == nil && fileTellsAll() {
		m.whole = true
		names = append(names, listedFor(text, gid)...)
	}
	for _, name := range names {
		m.names[name] = true
	}
	return m
}

// maxGroups is the largest /etc/group that is read, in bytes.
const maxGroups = 64 << 20

func readSystem(path string) (string, error) {
	file, err := safefile.ReadImport(path, maxGroups)
	if err != nil {
		return "", err
	}
	return string(file.Content), nil
}

// listedFor are those in the lists of all lines of group(5) with a number: a group may have two names.
func listedFor(text string, gid uint32) []string {
	var names []string
	for line := range strings.Lines(text) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 4)
		if len(fields) == 4 && fields[2] == strconv.FormatUint(uint64(gid), 10) {
			names = append(names, strings.Split(fields[3], ",")...)
		}
	}
	return names
}

// fileTellsAll reports whether /etc/group alone says who is in a group beside those whose primary group it is. A directory service may
// know of memberships that it lists for the user only; where there is one, or it cannot be told, libc is asked about each user.
func fileTellsAll() bool {
	text, err := readSystem("/etc/nsswitch.conf")
	return err == nil && onlyFiles(text) && !systemdTells()
}

// onlyFiles reads nsswitch.conf(5).
func onlyFiles(text string) bool {
	found := false
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		database, sources, _ := strings.Cut(line, ":")
		switch strings.TrimSpace(database) {
		case "group":
			found = true
		case "initgroups":
		default:
			continue
		}
		if slices.ContainsFunc(strings.Fields(sources), func(s string) bool { return s != "files" && s != "systemd" }) {
			return false
		}
	}
	return found
}

// systemdTells reports whether nss-systemd(8) may know of memberships: from files of userdb(8), or from a service that is none of those
// which have none, as systemd-homed has.
func systemdTells() bool {
	for _, folder := range []string{"/etc/userdb", "/run/userdb", "/run/host/userdb", "/usr/local/lib/userdb", "/usr/lib/userdb"} {
		if anyName(folder, func(name string) bool { return strings.HasSuffix(name, ".membership") }) {
			return true
		}
	}
	without := []string{"io.systemd.DynamicUser", "io.systemd.DropIn", "io.systemd.Machine", "io.systemd.Multiplexer", "io.systemd.NameServiceSwitch"}
	return anyName("/run/systemd/userdb", func(name string) bool { return !slices.Contains(without, name) })
}

// anyName is true for a folder that cannot be read, and false for one that is not there.
func anyName(folder string, is func(string) bool) bool {
	dir, err := safefile.OpenDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	if err != nil {
		return true
	}
	defer dir.Close()
	names, err := dir.Names()
	return err != nil || slices.ContainsFunc(names, is)
}
