package fakes

import (
	"cmp"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// everyone is the name of who has no token.
const everyone = "*"

type right int

const (
	readRight right = 1 << iota
	writeRight
)

// Rights, as ntfy access takes them.
const (
	ReadWrite = "read-write"
	ReadOnly  = "read-only"
	WriteOnly = "write-only"
	Deny      = "deny"
)

var rights = map[string]right{ReadWrite: readRight | writeRight, ReadOnly: readRight, WriteOnly: writeRight, Deny: 0}

type ntfyRule struct {
	user, pattern string
	topics        *regexp.Regexp
	rights        right
}

// Grant is "ntfy access USER PATTERN RIGHTS"; a star in the pattern stands for any characters, the user "*" for everyone. The token is one of the
// user's; "" for everyone.
func (n *Ntfy) Grant(user, token, pattern, granted string) {
	allowed, known := rights[granted]
	if !known {
		panic("no such rights: " + granted)
	}
	topics := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*") + "$")
	n.mu.Lock()
	defer n.mu.Unlock()
	if user != everyone {
		n.users[token] = user
	}
	n.rules = append(n.rules, ntfyRule{user, pattern, topics, allowed})
	// A user's own rules come before everyone's, of each the more exact one first.
	slices.SortStableFunc(n.rules, func(a, b ntfyRule) int {
		if (a.user == everyone) != (b.user == everyone) {
			return cmp.Compare(b.user, a.user)
		}
		return cmp.Compare(len(b.pattern), len(a.pattern))
	})
}

// GrantUsual sets the rules that push setup tells the administrator to set: the host's token reads and writes all of ours, the phone's
// reads challenges, and everyone may answer.
func (n *Ntfy) GrantUsual(hostToken, phoneToken string) {
	n.Grant("twokey", hostToken, "tk-*", ReadWrite)
	n.Grant("phones", phoneToken, "tk-*", ReadOnly)
	n.Grant(everyone, "", "tk-rsp-*", WriteOnly)
}

func (n *Ntfy) may(user, topic string, wanted right) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, r := range n.rules {
		if (r.user == user || r.user == everyone) && r.topics.MatchString(topic) {
			return r.rights&wanted == wanted
		}
	}
	return false
}

// user finds who asks; ok is false for a token that nobody has.
func (n *Ntfy) user(r *http.Request) (name string, ok bool) {
	header := r.Header.Get("Authorization")
	if header == "" {
		return everyone, true
	}
	token, bearer := strings.CutPrefix(header, "Bearer ")
	if !bearer {
		n.fault("Authorization: " + header)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	name, ok = n.users[token]
	return name, ok
}

func (n *Ntfy) userOf(token string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.users[token]
}
