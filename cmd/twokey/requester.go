package main

import (
	"errors"
	"fmt"
	"strings"

	"twokey/enroll"
	"twokey/internal/syslog"
	"twokey/internal/sysuser"
	"twokey/policy"
)

// checkRequester refuses a bypass code that nobody asked for who may. The name becomes the name service's. Overrides: root at a terminal
// has said that it is to be made all the same.
//
// Who types the name is believed that it was he who asked: both are in the audit log. Root has to be listed as everybody else: what a
// script asks for in the name of root nobody has asked for.
func (h *host) checkRequester(w *bypassWish) (overrides bool, err error) {
	if w.override && !h.mayOverride() {
		return false, badUsage("--override is for root at a terminal").hint("%s", h.whoMayAsk())
	}
	account, err := sysuser.Lookup(w.requester)
	if errors.Is(err, sysuser.ErrUnknown) {
		return w.override, h.unlessOverridden(w, "there is no user %q on this host", w.requester)
	}
	if err != nil {
		return false, err
	}
	w.requester = account.Name
	who := person{name: account.Name, account: &account}
	may, err := h.policy.Bypass.Requesters.Has(who.name, who.inGroup)
	if err != nil {
		return false, fmt.Errorf("whether %s may ask for a bypass code cannot be told: %w", who.name, err)
	}
	if may {
		return false, nil
	}
	return w.override, h.unlessOverridden(w, "%s may not ask for a bypass code (bypass.requesters)", who.name)
}

// mayOverride reports whether root sits at a terminal: a script must not do it by the way.
func (h *host) mayOverride() bool { return h.actor.isRoot() && h.ui.in.terminal() }

func (h *host) unlessOverridden(w *bypassWish, refusal string, args ...any) error {
	if w.override {
		return nil
	}
	refused := failed(refusal, args...).hint("%s", h.whoMayAsk())
	if h.mayOverride() {
		return refused.hint("%s, or add --override, which is reported", h.whoMayAsk())
	}
	return refused
}

// reportOverride tells whoever reads the host's own log, which may lie on another host already.
func (h *host) reportOverride(user string, b enroll.Bypass) {
	text := fmt.Sprintf("bypass-override: %s made a bypass code for %s, asked for by %s, who is not in bypass.requesters: %s", b.By, user,
		b.Requester, b.Reason)
	syslog.Send(syslog.Warning, "twokey", text)
	h.ui.warn("%s (this is in the audit log and in the syslog)", text)
}

// whoMayAsk names them.
func (h *host) whoMayAsk() string {
	who := h.policy.Bypass.Requesters
	if who.IsZero() {
		return "nobody may: bypass.requesters in the configuration names who, as in twokey config set bypass.requesters '{users: [lena]}'"
	}
	return "who may ask for one: " + whoText(who)
}

// whoText names users and groups.
func whoText(who policy.Who) string {
	var parts []string
	if len(who.Users) > 0 {
		parts = append(parts, shortList(who.Users, 8))
	}
	if len(who.Groups) > 0 {
		parts = append(parts, "the members of "+strings.Join(who.Groups, ", "))
	}
	return strings.Join(parts, ", ")
}
