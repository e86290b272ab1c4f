package policy

import (
	"errors"
	"fmt"
)

// membership remembers the answers of InGroup, so that one evaluation asks once
// and gets one answer.
type membership struct {
	ask   func(string) (bool, error)
	known map[string]answer
}

type answer struct {
	in  bool
	err error
}

func (m *membership) has(group string) (bool, error) {
	a, found := m.known[group]
	if !found {
		if m.ask == nil {
			a.err = errors.New("groups cannot be looked up")
		} else {
			a.in, a.err = m.ask(group)
		}
		m.known[group] = a
	}
	return a.in, a.err
}

// any tells whether the user is in one of the groups.
func (m *membership) any(groups []string, user string) (Match, string) {
	var failed error
	for _, g := range groups {
		in, err := m.has(g)
		if in && err == nil {
			return Yes, fmt.Sprintf("about group %q", g)
		}
		if err != nil && failed == nil {
			failed = fmt.Errorf("group lookup failed: group %q: %w", g, err)
		}
	}
	if failed != nil {
		return Unknown, failed.Error()
	}
	return No, fmt.Sprintf("not about user %q or a group of his", user)
}
