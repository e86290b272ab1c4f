package main

import (
	"errors"

	"twokey/internal/sysuser"
)

// Accounts that the name service gives out in a list. Directory services often give no list, or only a part: who is enrolled,
// or named in the configuration, is looked up by name beside this.

// loginNames lists the accounts that somebody can log in to.
func loginNames() ([]string, error) {
	all, err := sysuser.All()
	return accountNames(all, sysuser.Account.MayLogIn), err
}

// allNames lists all accounts.
func allNames() ([]string, error) {
	all, err := sysuser.All()
	return accountNames(all, func(sysuser.Account) bool { return true }), err
}

func accountNames(all []sysuser.Account, keep func(sysuser.Account) bool) []string {
	var names []string
	for _, account := range all {
		if keep(account) {
			names = append(names, account.Name)
		}
	}
	return names
}

// groupNames lists the accounts that the group's own list names; a group that does not exist has none.
func groupNames(group string) ([]string, error) {
	names, err := sysuser.Members(group)
	if errors.Is(err, sysuser.ErrUnknown) {
		return nil, nil
	}
	return names, err
}
