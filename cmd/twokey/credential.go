package main

import (
	"errors"
	"io/fs"
	"strings"

	"github.com/urfave/cli/v2"

	"twokey/internal/safefile"
)

// maxCredential is how long a credential may be, in bytes: twokey-notify takes no more.
const maxCredential = 512

// credential is one that goes into a file of its own, which only root can read. The configuration, which everybody can read, has its name.
type credential struct {
	file  string
	value string // "": what the file has stays
}

// readCredential takes a credential from the file that a flag names, - for standard input, or asks for it at a terminal without showing what
// is typed. It is "" where nothing was said and that is enough: orElse says what comes of it then; "": it is not.
func (h *host) readCredential(c *cli.Context, flag, what, orElse string) (string, error) {
	path := c.String(flag)
	var text string
	var err error
	switch {
	case path == "-", path == "" && h.ui.in.terminal():
		question := what + " (is not shown"
		if orElse != "" {
			question += "; Enter " + orElse
		}
		text, err = h.ui.ask(wrapLine(question+"):")+" ", true)
	case path != "":
		text, err = h.credentialFile(path)
	case orElse != "":
		return "", nil
	default:
		return "", badUsage("--%s is missing", flag).hint("--%s FILE, or --%s - for standard input: %s", flag, flag, what)
	}
	text = strings.TrimSpace(text)
	switch {
	case err != nil:
		return "", err
	case text == "" && orElse != "" && path == "":
		return "", nil
	case text == "" || len(text) > maxCredential || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", badUsage("--%s: want one word of 1 to %d letters, digits and signs", flag, maxCredential)
	}
	return text, nil
}

// credentialFile reads a file that the administrator has chosen. Whoever else can read it has the credential.
func (h *host) credentialFile(path string) (string, error) {
	file, err := safefile.ReadImport(path, maxSecretFile)
	if errors.Is(err, safefile.ErrType) {
		return "", failed("%s is not a regular file", path)
	}
	if err != nil {
		return "", err
	}
	if file.Mode&0o077 != 0 {
		h.ui.warn("others have access to %s, which has a credential: chmod 600 '%s', or delete it", path, path)
	}
	return string(file.Content), nil
}

// stored is what the file has now; nil when there is none, or none that could be used.
func (h *host) stored(file string) []byte {
	dir, err := safefile.OpenDir(h.path(h.policy.Paths.Credentials))
	if err != nil {
		return nil
	}
	defer dir.Close()
	content, err := dir.Read(file, safefile.Secret)
	if err != nil {
		return nil
	}
	return content
}

// changes reports whether the file has to be written.
func (h *host) changes(one credential) bool {
	return one.value != "" && string(h.stored(one.file)) != one.value+"\n"
}

// store writes the files that have to be, all or none, and returns what puts back what they had.
func (h *host) store(all []credential) (undo func() error, err error) {
	dir, err := safefile.MakeDir(h.path(h.policy.Paths.Credentials), 0o700)
	if err != nil {
		return nil, err
	}
	var undone []func(*safefile.Dir) error
	undo = func() error { return h.unstore(undone) }
	for _, one := range all {
		if !h.changes(one) {
			continue
		}
		before := h.stored(one.file)
		if err := dir.Replace(one.file, []byte(one.value+"\n"), 0o600); err != nil {
			return nil, errors.Join(err, dir.Close(), undo())
		}
		undone = append(undone, func(dir *safefile.Dir) error {
			if before == nil {
				return dir.Remove(one.file)
			}
			return dir.Replace(one.file, before, 0o600)
		})
	}
	if err := dir.Close(); err != nil {
		return nil, errors.Join(err, undo())
	}
	return undo, nil
}

func (h *host) unstore(undone []func(*safefile.Dir) error) error {
	dir, err := safefile.OpenDir(h.path(h.policy.Paths.Credentials))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, undo := range undone {
		err = errors.Join(err, undo(dir))
	}
	return errors.Join(err, dir.Close())
}
