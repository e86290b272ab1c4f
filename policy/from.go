package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// A place is one item of from or shared: a network, or a name.
type place struct {
	network netip.Prefix // an address is a network of one
	name    string       // "" where there is a network
}

// parsePlace reads an item, or says what is wrong with it. Whatever is not plainly an address or a network is one that was mistyped,
// unless it can be a host's name: a rule for a name that no host has would look right and match nobody.
func parsePlace(s string) (place, string) {
	if wrong := checkText(s); wrong != "" {
		return place{}, wrong
	}
	switch {
	case s == "":
		return place{}, "an address without anything in it"
	case strings.ContainsAny(s[:1], "!-~"):
		return place{}, fmt.Sprintf("%q: there are no negations: list the addresses that are meant", s)
	case strings.ContainsAny(s, "*?") || s[0] == '.':
		return place{}, fmt.Sprintf("%q: there are no patterns: list the addresses or networks that are meant", s)
	case strings.Contains(s, "%"):
		return place{}, fmt.Sprintf("%q: leave the %% and what stands behind it away: by which interface a client comes does not count", s)
	case strings.Contains(s, "/"):
		return parseNetwork(s)
	}
	if address, err := netip.ParseAddr(s); err == nil {
		address = address.Unmap()
		return place{network: netip.PrefixFrom(address, address.BitLen())}, ""
	}
	if !hostName(s) {
		return place{}, fmt.Sprintf("%q is no address, no network such as 192.0.2.0/24 and no host's name", s)
	}
	return place{name: s}, ""
}

// parseNetwork reads an address and the length of its prefix (RFC 4632, section 3.1; RFC 4291, section 2.3).
func parseNetwork(s string) (place, string) {
	network, err := netip.ParsePrefix(s)
	mapped := err == nil && network.Addr().Is4In6()
	switch {
	case err != nil || mapped && network.Bits() < 96:
		return place{}, fmt.Sprintf("%q is no network: want an address and the length of its prefix, such as 192.0.2.0/24 or 2001:db8::/32", s)
	case network.Masked() != network:
		return place{}, fmt.Sprintf("%q has bits set behind the prefix: write %s for the network, or the address alone", s, network.Masked())
	case mapped:
		network = netip.PrefixFrom(network.Addr().Unmap(), network.Bits()-96)
	}
	return place{network: network}, ""
}

// hostName reports whether a text can be the name of a host (RFC 952, RFC 1123, with the underscore that some have). One without a
// letter is an address with a mistake in it.
func hostName(s string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyz"
	lower := strings.ToLower(s)
	return len(s) <= 253 && !strings.Contains(s, "..") && strings.ContainsAny(lower, letters) &&
		strings.Trim(lower, letters+"0123456789-._") == ""
}

func checkPlace(s string) string {
	_, wrong := parsePlace(s)
	return wrong
}

// checkNetwork is checkPlace without names.
func checkNetwork(s string) string {
	p, wrong := parsePlace(s)
	if wrong == "" && p.name != "" {
		wrong = fmt.Sprintf("%q is no address and no network such as 192.0.2.0/24", s)
	}
	return wrong
}

// address is PAM_RHOST as an address, without the interface (%eth0) and as IPv4 where it is mapped to IPv6.
func address(rhost string) (netip.Addr, bool) {
	rhost, _, _ = strings.Cut(rhost, "%")
	a, err := netip.ParseAddr(rhost)
	return a.Unmap(), err == nil
}

// comesFrom finds the first item that PAM_RHOST is in. Names are compared, never resolved: who answers for a name may be the
// attacker.
func comesFrom(list []string, rhost string) (item string, found bool) {
	client, isAddress := address(rhost)
	i := slices.IndexFunc(list, func(item string) bool {
		p, wrong := parsePlace(item)
		if wrong != "" {
			return false
		}
		if isAddress {
			return p.network.IsValid() && p.network.Contains(client)
		}
		return p.name != "" && strings.EqualFold(p.name, rhost)
	})
	if i < 0 {
		return "", false
	}
	return list[i], true
}

// IsShared reports whether many people may come from there. Of a client that PAM_RHOST names, and gives no address of, that cannot be
// told, so it counts as shared as soon as anything is.
func (c *Config) IsShared(rhost string) bool {
	if len(c.Shared) == 0 || rhost == "" {
		return false
	}
	_, isAddress := address(rhost)
	_, shared := comesFrom(c.Shared, rhost)
	return shared || !isAddress
}

// covers reports whether everything in the other place is in this one.
func (p place) covers(other place) bool {
	if p.name != "" || other.name != "" {
		return strings.EqualFold(p.name, other.name)
	}
	return p.network.Bits() <= other.network.Bits() && p.network.Contains(other.network.Addr())
}
