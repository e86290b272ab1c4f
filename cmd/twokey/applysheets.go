package main

import (
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"

	"twokey/enroll/batch"
	"twokey/enroll/sheet"
	"twokey/internal/safefile"
)

// openSheets makes the folder for the pages, if there are to be any.
func (a *application) openSheets() (err error) {
	if a.sheets == "" {
		return nil
	}
	if a.sheetDir, err = safefile.MakeDir(a.sheets, 0o700); err != nil {
		return err
	}
	var about unix.Stat_t
	if err := unix.Fstat(a.sheetDir.Fd(), &about); err != nil {
		return err
	}
	if about.Mode&0o077 != 0 {
		return failed("others have access to %s, where the secrets would be", a.sheets).hint("chmod 700 '%s', or another folder", a.sheets)
	}
	return nil
}

func (a *application) closeSheets() error {
	if a.sheetDir == nil {
		return nil
	}
	return a.sheetDir.Close()
}

// writeSheets writes the pages, before what is on them is in force. What a kill has ended in between is done again with other secrets
// on the same pages; but a secret that is in force and that nobody saw would lock its owner out.
func (a *application) writeSheets(some []*batch.Plan) {
	if a.sheetDir == nil {
		return
	}
	errs, failure := safefile.WriteAll(len(some), func(i int, set *safefile.Set) error {
		if some[i].Err != nil {
			return nil
		}
		return a.sheetsOf(some[i], set)
	})
	for i, p := range some {
		if p.Err == nil {
			p.Err = errors.Join(errs[i], failure)
		}
	}
}

func (a *application) sheetsOf(p *batch.Plan, set *safefile.Set) error {
	if len(p.Drafts) == 0 {
		return nil
	}
	account, err := a.directory.Lookup(p.User.Name)
	if err != nil {
		return err
	}
	for i, d := range p.Drafts {
		data := sheet.Data{User: p.User.Name, FullName: account.FullName, Host: a.job.Usual.Host, Device: d.Device, URI: d.URI,
			Contact: whomToAsk(a.policy), HelpURL: a.policy.HelpURL, Language: a.policy.Language}
		if i == 0 {
			data.RecoveryCodes = p.Codes
		}
		page, err := sheet.Page(data)
		if err != nil {
			return err
		}
		if err := set.Replace(a.sheetDir, sheetName(p.User.Name, d.Device.Name), page, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// removeSheets takes the pages away of devices that did not come into force.
func (a *application) removeSheets(p *batch.Plan) error {
	if a.sheetDir == nil || p.Err == nil || len(p.Done) > 0 {
		return nil
	}
	var all error
	for _, d := range p.Drafts {
		if err := a.sheetDir.Remove(sheetName(p.User.Name, d.Device.Name)); !errors.Is(err, fs.ErrNotExist) {
			all = errors.Join(all, err)
		}
	}
	return all
}

// sheetName is alice~phone.html: no file name of a user or a device has a tilde in it, so that no two pages have the same.
func sheetName(user, device string) string {
	return safefile.UserFileName(user) + "~" + safefile.UserFileName(device) + ".html"
}
