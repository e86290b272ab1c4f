package main

import (
	"errors"

	"twokey/internal/sysuser"
)

// Accounts that the name service gives out in a list. Directory services often give no list, or only a part: who is enrolled,
// or named in the configuration, is looked up by name beside this.

// loginNames lists the accounts that somebody can log in to.
func loginNames() ([]string, error) { return accountNames(sysuser.Account.MayLogIn) }

// allNames lists all accounts.
func allNames() ([]string, error) {
	return accountNames(func(sysuser.Account) bool { return true })
}

func accountNames(keep func(sysuser.Account) bool) ([]string, error) {
	all, err := sysuser.All()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, account := range all {
		if keep(account) {
			names = append(names, account.Name)
		}
	}
	return names, nil
}

// groupNames lists the accounts that the group's own list names; a group that does not exist has none.
func groupNames(group string) ([]string, error) {
	names, err := sysuser.Members(group)
	if errors.Is(err, sysuser.ErrUnknown) {
		return nil, nil
	}
	return names, err
}
