package main

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"twokey/enroll/batch"
	"twokey/enroll/provision"
	"twokey/enroll/sheet"
	"twokey/factor"
	"twokey/internal/safefile"
	"twokey/policy"
	"twokey/secrets"
)

// recipientFlags are those of apply on a machine that is not the host.
func recipientFlags() []cli.Flag {
	return []cli.Flag{
		severalFlag("recipient", "make files for another host, of which twokey key recipient prints this: `[HOST=]age1…`; several times for several hosts"),
		&cli.StringFlag{Name: "out", Usage: "with --recipient: the folder `DIR` for the files and the manifest"},
		&cli.StringFlag{Name: "signer", Usage: "with --recipient: sign with the key in `FILE`, made by twokey key new-signer"},
		severalFlag("renew", "with --recipient: make the files of `USER` anew, with new secrets"),
		&cli.StringFlag{Name: "issuer", Usage: "with --recipient: the `TEXT` that the app shows above the code"},
	}
}

// forRecipient refuses flags that mean nothing without --recipient: somebody who forgot it would change this host.
func forRecipient(c *cli.Context) error {
	for _, f := range recipientFlags() {
		if name := f.Names()[0]; c.IsSet(name) {
			return badUsage("--%s is for --recipient", name)
		}
	}
	return nil
}

// elsewhere is apply for hosts that are not this one: neither their configuration nor their name service is here.
type elsewhere struct {
	*application
	folder  string
	hosts   []provision.Host
	signer  *secrets.SigningKey
	renewed []string
	issuer  string
	to      *provision.Job
	todo    []*provision.Plan
	gone    []string
}

// applyElsewhere is applyAction with --recipient. It needs neither root nor a configuration.
func applyElsewhere(c *cli.Context, ui *ui, w applyWish) error {
	ui.json = c.Bool("json")
	a := newApplication(&host{ui: ui, yes: c.Bool("yes"), dryRun: c.Bool(dryRun)}, w)
	a.lists = &configEdit{}
	e := &elsewhere{application: a, folder: c.String("out"), renewed: c.StringSlice("renew"), issuer: c.String("issuer")}
	switch {
	case e.folder == "" || c.String("signer") == "":
		return badUsage("--recipient needs --out and --signer").
			hint("twokey apply -f users.yaml --recipient age1… --out DIR --signer FILE; twokey key new-signer makes FILE")
	case w.group != "":
		return badUsage("--group is for users of this host")
	case w.sheets != "" && filepath.Clean(w.sheets) == filepath.Clean(e.folder):
		return badUsage("--sheets and --out want two folders: the pages are the secrets, and must not be copied with the files")
	}
	var err error
	if e.hosts, err = provision.ParseHosts(c.StringSlice("recipient")); err != nil {
		return badUsage("--recipient: %v", err)
	}
	if e.signer, err = openSigner(c.String("signer")); err != nil {
		return err
	}
	defer e.signer.Wipe()
	if err := e.read(); err != nil {
		return err
	}
	return e.apply()
}

func openSigner(path string) (*secrets.SigningKey, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	return secrets.OpenSigningKey(path)
}

func (e *elsewhere) apply() (err error) {
	defer func() { err = errors.Join(err, e.closeSheets()) }()
	if err := e.openSheets(); err != nil {
		return err
	}
	if !e.looksOnly() {
		out, err := e.lockFolder(e.folder)
		if err != nil {
			return err
		}
		defer out.Close()
	}
	if err := e.open(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.to.Close()) }()
	e.planAll()
	e.tellGone()
	if e.looksOnly() {
		return e.advise(e.tellPlan())
	}
	if err := e.mayMake(); err != nil {
		return err
	}
	return e.advise(e.makeAll())
}

// advise adds the way out for users whose files cannot be changed.
func (e *elsewhere) advise(err error) error {
	var a *advised
	if errors.As(err, &a) && slices.ContainsFunc(e.wrong, func(row error) bool { return errors.Is(row, provision.ErrSealed) }) {
		return a.hint("give in the list what it lacks; or, for a new secret and a new page: --renew USER --sheets DIR")
	}
	return err
}

// open looks at what was made before.
func (e *elsewhere) open() error {
	folder, err := filepath.Abs(e.folder)
	if err != nil {
		return err
	}
	initial, err := policy.Parse(policy.Default())
	if err != nil {
		return err
	}
	usual := initial.NewDevices
	w := provision.Wish{Folder: folder, Hosts: e.hosts, Renew: e.renewed, AllowShort: e.allowShort, Now: time.Now,
		Usual: batch.Usual{Issuer: e.issuer, Params: factor.Params{Method: factor.TOTP, Digits: usual.Digits,
			Period: int(usual.Period / time.Second), Algorithm: factor.Algorithm(usual.Algorithm)}}}
	if len(e.hosts) == 1 {
		w.Usual.Host = e.hosts[0].Name
	}
	w.Usual.Issuer = or(w.Usual.Issuer, or(w.Usual.Host, "twokey"))
	e.to, err = provision.Open(w, e.signer)
	return err
}

// planAll finds out what is to be done, up to --limit.
func (e *elsewhere) planAll() {
	for _, row := range e.file.Wrong {
		e.wrong = append(e.wrong, row)
	}
	for _, g := range e.file.Groups {
		e.wrong = append(e.wrong, e.row(g.Line, g.Name, provision.ErrPolicy))
	}
	changing := 0
	for i := range e.file.Users {
		p := e.to.Plan(&e.file.Users[i])
		if p.Err == nil {
			p.Err = e.unseen(p.Plan)
		}
		switch {
		case p.Err != nil:
			e.fail(p.Plan)
		case e.limit > 0 && changing == e.limit && !p.Idle():
			e.left++
			continue
		case !p.Idle():
			changing++
			e.todo = append(e.todo, p)
		}
		e.plans = append(e.plans, p.Plan)
	}
	e.gone = e.to.Gone(e.file.Users)
	for _, user := range e.renewed {
		if !e.named(user) {
			e.wrong = append(e.wrong, failed("--renew %s: the list does not name this user", user))
		}
	}
}

func (e *elsewhere) named(user string) bool {
	for i := range e.file.Users {
		if e.file.Users[i].Name == user {
			return true
		}
	}
	return false
}

func (e *elsewhere) tellGone() {
	if len(e.gone) > 0 {
		e.ui.warn("files were made before for %s, whom the list does not name any more: they stay; \"present: false\" removes them", shortList(e.gone, 8))
	}
}

// mayMake refuses what must not be begun, and asks where something ends.
func (e *elsewhere) mayMake() error {
	if err := e.wholly(); err != nil {
		return err
	}
	var ending []string
	for _, p := range e.todo {
		if p.Ends {
			ending = append(ending, p.User.Name)
		}
	}
	if len(ending) == 0 {
		return nil
	}
	return e.ui.confirm(e.yes, "Devices of %d of the users end: %s. Go on?", len(ending), shortList(ending, 8))
}

// makeAll tells of what was made also when it ends before its time. A kill before the manifest is written leaves files that the next run
// makes anew, with new secrets: so they are shown between the two.
func (e *elsewhere) makeAll() error {
	var end func()
	e.step, end = e.ui.progress("writing", e.worthABar(len(e.todo)))
	err := e.to.Run(e.todo, e.page, func(some []*provision.Plan) error {
		plans := make([]*batch.Plan, len(some))
		for i, p := range some {
			plans[i] = p.Plan
		}
		e.showSecrets(plans)
		var stopped error
		for _, p := range plans {
			if e.takeBack(p); errors.Is(p.Err, errStopped) {
				stopped = p.Err
			} else if p.Err != nil {
				e.fail(p)
			}
		}
		return stopped
	})
	end()
	return errors.Join(err, e.tellDone(nil))
}

// page writes a user's page beside his files, several at once.
func (e *elsewhere) page(p *provision.Plan, set *safefile.Set) error {
	defer e.step(1)
	if e.sheetDir == nil {
		return nil
	}
	e.telling.Lock()
	e.paged[p.Plan] = true
	e.telling.Unlock()
	return e.putPages(p.Plan, set, sheet.Data{Host: e.where()})
}

// where names the hosts on which a device is good.
func (e *elsewhere) where() string {
	var names []string
	for _, h := range e.hosts {
		names = append(names, or(h.Name, e.issuer))
	}
	return strings.Join(names, ", ")
}
