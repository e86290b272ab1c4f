package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"twokey/audit"
	"twokey/enroll"
	"twokey/internal/safefile"
	"twokey/internal/sysuser"
	"twokey/policy"
	"twokey/policy/inforce"
	"twokey/secrets"
	"twokey/state"
)

// host is the host that a command works on: its configuration, and what that names.
type host struct {
	ui     *ui
	actor  actor
	root   string // "" or a folder in which the host's file system lies
	config string // the configuration file, root included
	yes    bool   // --yes
	dryRun bool   // --dry-run, where the command has it
	source []byte // what was read of the configuration; nil while the policy is the one in force
	policy *policy.Config
}

// locate says where the host's configuration is, for commands that look and do not need root for that.
func locate(c *cli.Context, ui *ui) (*host, error) {
	ui.json = c.Bool("json")
	root, rootErr := filepath.Abs(or(c.String("root"), "/"))
	root = strings.TrimSuffix(root, "/")
	config, configErr := filepath.Abs(or(c.String("config"), root+inforce.DefaultConfig))
	if err := errors.Join(rootErr, configErr); err != nil {
		return nil, err
	}
	return &host{ui: ui, actor: ui.actor(), root: root, config: config, yes: c.Bool("yes"), dryRun: c.Bool(dryRun)}, nil
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// findHost is locate for commands that need root. For who is not, the other side of the socket does the whole command.
func findHost(c *cli.Context, ui *ui) (*host, error) {
	h, err := locate(c, ui)
	if err == nil && os.Geteuid() != 0 {
		err = relay(c, ui)
	}
	if err != nil {
		return nil, err
	}
	return h, nil
}

// openHost reads the configuration; a wrong one is an error, whatever policy is in force at logins.
func openHost(c *cli.Context, ui *ui) (*host, error) {
	h, err := findHost(c, ui)
	if err != nil {
		return nil, err
	}
	if err := h.readConfig(); err != nil {
		return nil, err
	}
	return h, nil
}

// openUsers is openHost, and the users of the host.
func openUsers(c *cli.Context, ui *ui) (*host, *enroll.Users, error) {
	h, err := openHost(c, ui)
	if err != nil {
		return nil, nil, err
	}
	u, err := h.users()
	return h, u, err
}

// openUsersInForce is openUsers for commands that do not write the configuration: while that is wrong, users can be helped by the last
// good policy, as they are asked by it.
func openUsersInForce(c *cli.Context, ui *ui) (*host, *enroll.Users, error) {
	h, err := openInForce(c, ui)
	if err != nil {
		return nil, nil, err
	}
	u, err := h.users()
	return h, u, err
}

func (h *host) readConfig() error {
	source, err := safefile.ReadFile(h.config, safefile.Public)
	if errors.Is(err, fs.ErrNotExist) {
		return notSetUp(err)
	}
	if err != nil {
		return err
	}
	return h.understand(source)
}

// openInForce is openHost for commands that leave the configuration alone: when the file has become wrong, they go by what logins go by,
// the last good policy.
func openInForce(c *cli.Context, ui *ui) (*host, error) {
	h, err := findHost(c, ui)
	if err != nil {
		return nil, err
	}
	inForce, err := h.policyInForce()
	if err != nil {
		return nil, h.noPolicy(err)
	}
	if inForce.LastGood {
		ui.warn("the last good policy is in force: %s", oneLine(inForce.Problem))
	}
	h.policy = inForce.Config
	return h, nil
}

// noPolicy tells a host that is not set up from one of which the configuration cannot be used: only there something is to be mended.
func (h *host) noPolicy(none error) error {
	if _, err := safefile.ReadFile(h.config, safefile.Public); errors.Is(err, fs.ErrNotExist) {
		return notSetUp(err)
	}
	return none
}

// policyInForce is what a login would go by now.
func (h *host) policyInForce() (*inforce.Policy, error) {
	if h.root == "" {
		return inforce.Peek(h.config)
	}
	// The paths in it are those of another host, whose last good policy is looked for when somebody logs in there.
	source, err := safefile.ReadFile(h.config, safefile.Public)
	if err == nil {
		err = h.understand(source)
	}
	if err != nil {
		return nil, errors.Join(inforce.ErrNone, err)
	}
	return &inforce.Policy{Config: h.policy}, nil
}

func (h *host) understand(source []byte) (err error) {
	h.source = source
	if h.policy, err = policy.Parse(source); err != nil {
		return fmt.Errorf("%s: %w", h.config, err)
	}
	return nil
}

func notSetUp(err error) error {
	return failed("twokey is not set up on this host: %v", err).hintRoot("twokey init")
}

// path is where a path of the configuration lies on this machine.
func (h *host) path(p string) string { return h.root + p }

// users opens the secrets and the state of all users.
func (h *host) users() (*enroll.Users, error) {
	data := h.path(h.policy.Paths.Data)
	store, err := secrets.Open(data, h.path(h.policy.Paths.Key), h.policy.Provisioners...)
	if err == nil {
		var st *state.Store
		if st, err = state.Open(data); err == nil {
			u := &enroll.Users{Secrets: store, State: st, Now: time.Now}
			if h.actor.himself() {
				u.Still = func(tx *state.Tx) error { return h.stillHim(u, tx) }
			}
			return u, nil
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, notSetUp(err)
	}
	return nil, err
}

// account finds a user whom the name service knows, by his canonical name.
func (h *host) account(name string) (sysuser.Account, error) {
	found, err := sysuser.Lookup(name)
	if errors.Is(err, sysuser.ErrUnknown) {
		return found, unknownUser(name)
	}
	if err == nil {
		err = h.mayTouch(name, &found)
	}
	return found, err
}

func unknownUser(name string) error {
	return failed("there is no user %q on this host", name).hint("getent passwd lists the users")
}

// warnOff says what makes everything else that is told of users meaningless for now.
func (h *host) warnOff() {
	if h.policy.Off {
		h.ui.warn("twokey is switched off, nobody is asked for a code%s", forRoot(h.actor, ": twokey enable", ""))
	}
}

// userOrMyself is the argument of a command that is about one user, without which it is about whoever types.
func userOrMyself(c *cli.Context, ui *ui) (string, error) {
	if c.Args().Present() {
		return oneUser(c)
	}
	return whoTypes(ui)
}

// whoTypes is over the socket the peer, else the user who called sudo, else the user that we run as.
func whoTypes(ui *ui) (string, error) {
	who := ui.actor()
	if !who.socket && who.sudo != "" {
		return who.sudo, nil
	}
	if who.account.Name == "" {
		return "", unknownUser(fmt.Sprint(who.account.UID))
	}
	return who.account.Name, nil
}

// newRecord is what an administrator does to a user, or with target "" to the host.
func (h *host) newRecord(action, target string, changes ...audit.Change) audit.Record {
	rec := audit.Record{Time: time.Now(), Action: action, Outcome: audit.Success, Target: target, Changes: changes, PID: uint64(os.Getpid())}
	h.actor.signs(&rec)
	if account, err := sysuser.Lookup(target); err == nil {
		rec.TargetID = strconv.FormatUint(uint64(account.UID), 10)
	}
	return rec
}

// record writes into the audit log what has just been done. It is called before success is told.
func (h *host) record(action, target string, changes ...audit.Change) error {
	if err := audit.Append(h.path(h.policy.Paths.Audit), h.newRecord(action, target, changes...)); err != nil {
		return fmt.Errorf("it is done, but the audit log could not be written: %w", err)
	}
	return nil
}
