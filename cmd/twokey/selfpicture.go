package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v2"

	"twokey/enroll/qr"
)

// The file with the QR code of somebody who is not root is his own affair: this side of the socket writes it, with what he may do, and
// root's side gets no file's name. It sends the address that is to be drawn.

// byClient stands for that file behind --qr.
const byClient = "file"

// ownFile is a picture that will be written; nil: none is wished.
type ownFile struct {
	*picture
	written bool
}

// isPicture reports whether --qr names a file.
func isPicture(where string) bool {
	return slices.Contains([]string{".png", ".svg"}, filepath.Ext(where))
}

// ownPicture finds out whether a picture is wished, and refuses one that could not be written before anybody is asked for a password and a
// code, which is good once.
func ownPicture(c *cli.Context, p permission, ui *ui) (*ownFile, error) {
	path := c.String("qr")
	if path == byClient {
		return nil, badUsage("--qr: want terminal, none, or a file that ends in .png or .svg, not %q", path)
	}
	if !p.takes("qr") || !isPicture(path) {
		return nil, nil
	}
	if _, err := os.Lstat(path); err == nil {
		return nil, &fs.PathError{Op: "create", Path: path, Err: fs.ErrExist}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	file, err := openPicture(path)
	if err != nil {
		return nil, err
	}
	return &ownFile{picture: file}, c.Set("qr", byClient)
}

// argv is the command line without the name of the file.
func (f *ownFile) argv(typed []string) []string {
	if f == nil {
		return typed
	}
	words := slices.Clone(typed)
	for i, word := range words {
		for _, flag := range []string{"--qr", "-qr"} {
			if word == flag+"="+f.path {
				words[i] = flag + "=" + byClient
			} else if word == f.path && i > 0 && words[i-1] == flag {
				words[i] = byClient
			}
		}
	}
	return words
}

// draw writes the picture. An address that was not asked for is against the protocol.
func (f *ownFile) draw(u *ui, address string) error {
	if f == nil || f.written {
		return errSelf
	}
	code, err := qr.Encode(address)
	if err != nil {
		return err
	}
	content := code.SVG()
	if filepath.Ext(f.path) == ".png" {
		if content, err = code.PNG(); err != nil {
			return err
		}
	}
	if err := f.write(content); err != nil {
		return err
	}
	f.written = true
	u.say("The QR code is in %s. It is the secret: delete it when it has been scanned.\n", visible(f.path))
	return nil
}

// end takes the picture away again unless the command was done: then what it shows is in force.
func (f *ownFile) end(outcome error) error {
	if f == nil {
		return nil
	}
	var done *relayed
	if f.written && !(errors.As(outcome, &done) && done.status == exitDone) {
		return errors.Join(f.remove(), f.close())
	}
	return f.close()
}
