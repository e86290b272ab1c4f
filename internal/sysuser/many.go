package sysuser

import "sync"

// few is up to how many users are looked up one by one: each is a walk through the whole of /etc/passwd.
const few = 64

// Directory looks up many users.
type Directory struct {
	listed map[string]*Account
	lock   sync.Mutex // of groups
	groups map[string]*membership
}

// NewDirectory prepares for so many questions. For more than a few it reads the list of all accounts once: a hundred thousand walks
// through a file of a hundred thousand lines take half an hour.
func NewDirectory(questions int) (*Directory, error) {
	if questions <= few {
		return &Directory{}, nil
	}
	all, err := All()
	if err != nil {
		return nil, err
	}
	return DirectoryOf(all), nil
}

// DirectoryOf answers questions about the accounts that [All] has listed, and about others.
func DirectoryOf(all []Account) *Directory {
	d := &Directory{listed: make(map[string]*Account, len(all))}
	for i := range all {
		d.listed[all[i].Name] = &all[i]
	}
	return d
}

// Lookup is the package's Lookup. Who is not in the list is asked for by name: a directory service need not list whom it knows.
func (d *Directory) Lookup(name string) (Account, error) {
	found, err := d.Find(name)
	if err != nil {
		return Account{}, err
	}
	return *found, nil
}

// Find is Lookup without a copy of what is in the list: nobody may change it.
func (d *Directory) Find(name string) (*Account, error) {
	if account := d.listed[name]; account != nil {
		return account, nil
	}
	found, err := Lookup(name)
	if err != nil {
		return nil, err
	}
	return &found, nil
}

// GroupID is the number of a group. One that does not exist is ErrUnknown.
func GroupID(group string) (uint32, error) {
	gid, _, err := findGroup(group, "")
	return gid, err
}

// Everybody lists the members of a group: those that its own list names, and the listed accounts whose primary group it is. Who is in
// it only by what a directory service says of him is missing. A group that does not exist is ErrUnknown.
func Everybody(group string) ([]string, error) {
	names, err := Members(group)
	if err != nil {
		return nil, err
	}
	gid, err := GroupID(group)
	if err != nil {
		return nil, err
	}
	all, err := All()
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, name := range names {
		seen[name] = true
	}
	for _, account := range all {
		if account.GID == gid && !seen[account.Name] {
			names = append(names, account.Name)
		}
	}
	return names, nil
}
