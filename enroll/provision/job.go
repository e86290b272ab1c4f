package provision

import (
	"errors"
	"io/fs"
	"slices"
	"time"

	"twokey/enroll"
	"twokey/enroll/batch"
	"twokey/internal/safefile"
	"twokey/secrets"
)

// Wish is what a run is to do.
type Wish struct {
	Folder     string // of the files and the manifest
	Hosts      []Host
	Renew      []string // users whose files are made anew, with new secrets where the list gives none
	Usual      batch.Usual
	AllowShort bool // take given secrets of 10 to 15 bytes
	Now        func() time.Time
}

// Job is a run in one folder.
type Job struct {
	Wish
	signer    *secrets.SigningKey
	digestKey []byte
	dir       *safefile.Dir   // nil: it is not there yet
	folders   []*safefile.Dir // of the hosts; nil as above
	known     map[string]*knownUser
	renew     map[string]bool
}

// Open looks at a folder, and changes nothing. A manifest that cannot be read is ErrManifest, one of another key ErrSigner.
func Open(w Wish, signer *secrets.SigningKey) (*Job, error) {
	key, err := signer.Derive(digestInfo)
	if err != nil {
		return nil, err
	}
	j := &Job{Wish: w, signer: signer, digestKey: key, known: map[string]*knownUser{}, renew: map[string]bool{},
		folders: make([]*safefile.Dir, len(w.Hosts))}
	for _, user := range w.Renew {
		j.renew[user] = true
	}
	if err := j.openFolders(safefile.OpenDir); err != nil {
		return nil, errors.Join(err, j.Close())
	}
	if j.dir == nil {
		return j, nil
	}
	if j.known, err = readManifest(j.dir, signer.Public()); err != nil {
		return nil, errors.Join(err, j.Close())
	}
	return j, nil
}

// openFolders opens those that are not open. One that is not there stays nil.
func (j *Job) openFolders(open func(path string) (*safefile.Dir, error)) (err error) {
	if j.dir == nil {
		if j.dir, err = ifThere(open(j.Folder)); err != nil || j.dir == nil {
			return err
		}
	}
	for i, h := range j.Hosts {
		if j.folders[i] == nil {
			if j.folders[i], err = ifThere(open(j.Folder + "/" + h.Name)); err != nil {
				return err
			}
		}
	}
	return nil
}

func ifThere(d *safefile.Dir, err error) (*safefile.Dir, error) {
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return d, err
}

// Close releases the folders.
func (j *Job) Close() error {
	var err error
	for _, d := range append(slices.Clone(j.folders), j.dir) {
		if d != nil {
			err = errors.Join(err, d.Close())
		}
	}
	clear(j.digestKey)
	return err
}

// Gone names the users of the manifest whom a list does not name, in order. Their files stay as they are.
func (j *Job) Gone(users []batch.User) []string {
	named := map[string]bool{}
	for i := range users {
		named[users[i].Name] = true
	}
	var gone []string
	for name := range j.known {
		if !named[name] {
			gone = append(gone, name)
		}
	}
	slices.Sort(gone)
	return gone
}

// atOnce is how many users are made before their secrets are given out of the hand.
const atOnce = 2000

// Run carries out plans. What goes wrong with one is in its Err and stops no other. Made is called for each before its files are in
// place, on several cores at once: pages for a printer that it puts into the set are there before them. Ran is called for each few
// thousand plans that were carried out; after it their secrets are gone. An error is about the folder as a whole.
func (j *Job) Run(plans []*Plan, made func(*Plan, *safefile.Set) error, ran func([]*Plan) error) error {
	if len(plans) == 0 {
		return nil
	}
	if err := j.openFolders(func(path string) (*safefile.Dir, error) { return safefile.MakeDir(path, 0o700) }); err != nil {
		return err
	}
	for some := range slices.Chunk(plans, atOnce) {
		if err := j.runSome(some, made); err != nil {
			return err
		}
		if err := ran(some); err != nil {
			return err
		}
		for _, p := range some {
			p.forget()
		}
	}
	return j.writeManifest()
}

func (j *Job) runSome(plans []*Plan, made func(*Plan, *safefile.Set) error) error {
	errs, err := safefile.WriteAll(len(plans), func(i int, set *safefile.Set) error {
		p := plans[i]
		if p.remove {
			return nil
		}
		if err := j.make(p); err != nil {
			return err
		}
		if err := made(p, set); err != nil {
			return err
		}
		return j.stage(p, set)
	})
	if err != nil {
		return err
	}
	for i, p := range plans {
		if p.Err = errs[i]; p.Err == nil && p.remove {
			p.Err = j.removeFiles(p.User.Name)
		}
		if p.Err != nil {
			continue
		}
		p.Done = p.Changes
		j.known[p.User.Name] = p.becomes
		if p.remove {
			delete(j.known, p.User.Name)
		}
	}
	return nil
}

// make draws what is new and puts the user's record together.
func (j *Job) make(p *Plan) error {
	users := &enroll.Users{Now: j.Now}
	for i, w := range p.devices {
		r := w.request
		if i == 0 {
			r.Recovery = p.codes
		}
		d, err := users.Draft(enroll.Account{Name: p.User.Name}, r)
		if err != nil {
			return err
		}
		if w.keep != nil {
			d.Device.ID, d.Device.Created = w.keep.ID, w.keep.Created
		}
		p.Drafts = append(p.Drafts, d)
		p.Codes = append(p.Codes, d.RecoveryCodes...)
	}
	record, err := enroll.NewRecord(p.User.Name, secrets.NextSerial(p.serial, j.Now()), p.Drafts)
	if err != nil {
		return err
	}
	record.Phone = p.phone
	p.record, p.becomes = record, j.manifestOf(p, record)
	return nil
}

// stage puts the files for all hosts into a set.
func (j *Job) stage(p *Plan, set *safefile.Set) error {
	for i, h := range j.Hosts {
		sealed, err := j.signer.Seal(p.record, h.To)
		if err != nil {
			return err
		}
		if err := set.Replace(j.folders[i], secrets.FileName(p.User.Name), sealed, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (j *Job) removeFiles(user string) error {
	for _, d := range j.folders {
		if err := d.Remove(secrets.FileName(user)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
