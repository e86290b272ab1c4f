package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"twokey/audit"
	"twokey/enroll/batch"
	"twokey/enroll/importer"
	"twokey/internal/safefile"
	"twokey/internal/sysuser"
)

// googleFile is where pam_google_authenticator keeps a user's secret, in his home.
const googleFile = ".google_authenticator"

// source is a file in the hands of a user.
type source struct {
	path    string
	uid     uint32
	content []byte
}

const stdinName = "standard input"

func (m *moving) read() error {
	switch {
	case m.allHomes:
		return m.readHomes()
	case m.format == importer.GoogleAuthenticator && m.file != "-":
		account, err := m.host.account(m.user)
		if err != nil {
			return err
		}
		path, err := filepath.Abs(or(m.file, filepath.Join(account.Home, googleFile)))
		if err != nil {
			return err
		}
		return m.readHome(account, path)
	}
	options := importer.Options{User: m.user, AllowShort: m.allowShort, Known: m.known, Unlock: m.unlock}
	if m.assign != "" {
		var err error
		if options.Owners, err = m.readOwners(); err != nil {
			return err
		}
	}
	if m.file == "-" {
		return m.readFrom(m.ui.in.lines, stdinName, nil, options)
	}
	f, err := m.open(m.file)
	if err != nil {
		return err
	}
	return errors.Join(m.readFrom(f, m.file, nil, options), f.Close())
}

// known reports whether this host has a user.
func (m *moving) known(name string) bool {
	_, err := m.directory.Lookup(name)
	return err == nil
}

// open opens a file that the administrator has named. Whoever else can read it knows the second factors.
func (m *moving) open(path string) (*os.File, error) {
	f, about, err := safefile.OpenImport(path, importer.MaxFile)
	switch {
	case errors.Is(err, safefile.ErrType):
		return nil, failed("%s is not a regular file", path).hint("to read from a pipe: -")
	case errors.Is(err, safefile.ErrSize):
		return nil, failed("%s: %v", path, batch.ErrSize)
	case err != nil:
		return nil, err
	}
	if about.Mode&0o077 != 0 || about.Owner != uint32(os.Geteuid()) {
		m.ui.warn("others have access to %s, which has second factors in it: chmod 600 '%s', or delete it", path, path)
	}
	return f, nil
}

func (m *moving) readFrom(r io.Reader, name string, from *source, options importer.Options) error {
	file, err := importer.Read(m.format, name, r, options)
	if err != nil {
		return err
	}
	for _, row := range file.Wrong {
		m.wrong = append(m.wrong, row)
	}
	if file.Unassigned > 0 {
		m.notes = append(m.notes, fmt.Sprintf("%s nobody's by %s.", rows(file.Unassigned, "token is", "tokens are"), m.assign))
	}
	for _, u := range file.Users {
		m.movers = append(m.movers, &mover{User: u, source: from})
	}
	return nil
}

// readHome reads a file that a user may change while root reads it.
func (m *moving) readHome(account sysuser.Account, path string) error {
	file, err := safefile.ReadHome(path, account.UID, importer.MaxHome)
	if err != nil {
		if errors.Is(err, safefile.ErrParents) {
			return failed("%v", err).hint("to take a file from where others may change it: twokey import google-authenticator --user %s - < FILE", account.Name)
		}
		return err
	}
	return m.readGoogle(account, path, file)
}

func (m *moving) readGoogle(account sysuser.Account, path string, file *safefile.Import) error {
	before := len(m.movers)
	err := m.readFrom(bytes.NewReader(file.Content), path, &source{path, account.UID, file.Content},
		importer.Options{User: account.Name, AllowShort: m.allowShort})
	if err != nil {
		return err
	}
	for _, u := range m.movers[before:] {
		if file.Mode&0o077 != 0 {
			u.Left = append(u.Left, fmt.Sprintf("others could read %s: whoever did can make the codes", path))
		}
	}
	return nil
}

// readHomes reads the files of all users. Where there is none is nothing to be said of.
func (m *moving) readHomes() error {
	accounts, err := sysuser.All()
	if err != nil {
		return err
	}
	step, end := m.ui.progress("reading homes", len(accounts))
	defer end()
	for _, account := range accounts {
		step(1)
		if !strings.HasPrefix(account.Home, "/") {
			continue
		}
		path := filepath.Join(account.Home, googleFile)
		file, err := safefile.ReadHome(path, account.UID, importer.MaxHome)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
			continue
		}
		if err == nil && file.Owner != account.UID { // the home of another too, such as / or /root
			err = fmt.Errorf("%s: %w (uid %d)", path, safefile.ErrOwner, file.Owner)
		}
		if err == nil {
			err = m.readGoogle(account, path, file)
		}
		if err != nil {
			m.wrong = append(m.wrong, &aboutUser{account.Name, err})
		}
	}
	return nil
}

func (m *moving) readOwners() (owners *importer.Owners, err error) {
	f, _, err := safefile.OpenImport(m.assign, importer.MaxFile)
	if err != nil {
		return nil, err
	}
	owners, err = importer.ReadOwners(m.assign, f)
	return owners, errors.Join(err, f.Close())
}

// unlock gives the key of an encrypted file: from a file, or from whoever types.
func (m *moving) unlock(lock importer.Lock) (string, error) {
	if m.keyFile != "" && m.keyFile != "-" {
		file, err := safefile.ReadImport(m.keyFile, maxSecretFile)
		if err != nil {
			return "", err
		}
		if file.Mode&0o077 != 0 {
			m.ui.warn("others have access to %s, which opens %s: chmod 600 '%s'", m.keyFile, m.file, m.keyFile)
		}
		return strings.TrimRight(string(file.Content), "\r\n"), nil
	}
	if m.file == "-" {
		return "", badUsage("the file is encrypted, and its key cannot come from standard input too").hint("--pskc-key FILE")
	}
	if lock == importer.Password {
		return m.ui.ask("The password of the file: ", true)
	}
	return m.ui.ask("The key of the file, in hexadecimal or base64: ", true)
}

// removeSource removes a user's file, where that is wished. What stays behind is named, and is no reason to stop.
func (m *moving) removeSource(u *mover) {
	if !m.remove || u.source == nil {
		return
	}
	if err := safefile.RemoveHome(u.source.path, u.source.uid, u.source.content); err != nil {
		m.wrong = append(m.wrong, &aboutUser{u.Name, err})
		return
	}
	u.gone = true
}

// recordRemoved writes an audit record for each source that was removed, together.
func (m *moving) recordRemoved(some []*mover) error {
	base := m.newRecord("import-remove-source", "")
	var all []audit.Record
	for _, u := range some {
		if u.gone {
			r := base
			r.Time, r.Target, r.TargetID = time.Now(), u.Name, strconv.FormatUint(uint64(u.source.uid), 10)
			r.Changes = []audit.Change{{Field: "source", Old: u.source.path, New: "removed"}}
			all = append(all, r)
		}
	}
	if len(all) == 0 {
		return nil
	}
	if err := audit.AppendAll(m.path(m.policy.Paths.Audit), all); err != nil {
		return fmt.Errorf("%s removed, but the audit log could not be written: %w", rows(len(all), "source was", "sources were"), err)
	}
	return nil
}
