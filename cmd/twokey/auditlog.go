package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"twokey/audit"
	"twokey/internal/safefile"
)

func auditCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:        "audit",
		Usage:       "read the audit log, and see whether somebody has changed it",
		Subcommands: []*cli.Command{auditTailCommand(ui), auditVerifyCommand(ui)},
	}
}

func auditTailCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:  "tail",
		Usage: "the last records",
		Description: "One line a record, oldest first: when (this host's time), whether it succeeded, who, what, on which service, from\n" +
			"where, and why. That they are genuine only twokey audit verify can say.",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "n", Usage: "the last `N`", Value: 20},
			&cli.StringFlag{Name: "user", Usage: "only what `USER` did, or what was done to him"},
		},
		Action: func(c *cli.Context) error { return auditTailAction(c, ui) },
	}
}

// maxTail is how many records come over the socket at once: they are all in root's memory before the first is sent.
//
// Attack: audit tail -n 1000000000, four times at once, and the host runs out of memory.
const maxTail = 10000

func auditTailAction(c *cli.Context, ui *ui) error {
	if err := noArguments(c); err != nil {
		return err
	}
	n, user := c.Int("n"), c.String("user")
	if n < 1 {
		return badUsage("-n %d: want at least 1", n)
	}
	if c.IsSet("user") {
		if err := checkUserName(user); err != nil {
			return err
		}
	}
	h, err := openInForce(c, ui)
	if err != nil {
		return err
	}
	if h.actor.socket && n > maxTail {
		return badUsage("-n %d: at most %d without root", n, maxTail)
	}
	var entries []audit.Entry
	if path := h.path(h.policy.Paths.Audit); user == "" {
		entries, err = audit.Tail(path, n)
	} else {
		entries, err = lastOf(path, n, user)
	}
	if err != nil {
		return h.noLog(err)
	}
	return ui.entries(entries)
}

// noLog tells a log that is not there yet from one that is gone.
func (h *host) noLog(err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, headErr := audit.ReadCheckpoint(h.path(h.policy.Paths.Audit)); errors.Is(headErr, fs.ErrNotExist) {
		return notSetUp(err)
	}
	return failed("%v", err).hint("twokey audit verify says what is missing")
}

// lastOf gives the last n records that are about a user.
func lastOf(path string, n int, user string) ([]audit.Entry, error) {
	var kept []audit.Entry
	err := audit.Read(path, func(e audit.Entry) error {
		if r := e.Record; r != nil && (r.User == user || r.Target == user || r.SudoUser == user || beginsWith(r, user)) {
			kept = append(kept[max(0, len(kept)+1-n):], e)
		}
		return nil
	})
	return kept, err
}

// entries prints records: as they stand in the log with --json, else one line each.
func (u *ui) entries(entries []audit.Entry) error {
	all := []any{}
	rows := [][]string{{"TIME", "", "USER", "ACTION", "SERVICE", "FROM", "WHY"}}
	for _, e := range entries {
		if e.Record == nil {
			bytes := fmt.Sprintf("%d bytes at %d are no record", e.Size, e.Offset)
			rows = append(rows, []string{"-", "BAD", "-", "-", "-", "-", bytes + " (twokey audit verify)"})
			all = append(all, struct {
				Error string `json:"error"`
			}{bytes})
			continue
		}
		rows = append(rows, recordRow(e.Record))
		all = append(all, json.RawMessage(e.Line))
	}
	if len(entries) == 0 {
		u.say("No records.")
	} else if err := u.table(rows); err != nil {
		return err
	}
	return u.object(all)
}

func recordRow(r *audit.Record) []string {
	row := []string{r.Time.Local().Format("2006-01-02 15:04:05"), mark(r.Outcome), whoDid(r), r.Action, r.Service, r.Source, why(r)}
	if r.Target != "" {
		row[3] += " " + r.Target
	}
	for i, cell := range row {
		row[i] = audit.Safe(cell)
		if cell == "" {
			row[i] = "-"
		}
	}
	return row
}

// mark is the outcome at a glance, also without colours.
func mark(o audit.Outcome) string {
	switch o {
	case audit.Success:
		return "ok"
	case audit.Failure:
		return "NO"
	}
	return "?"
}

// whoDid is who logged in or typed; of an unknown name, which may be a password, there is only the length.
func whoDid(r *audit.Record) string {
	switch {
	case r.UserHash != "":
		return fmt.Sprintf("(unknown, %d bytes)", r.UserLength)
	case r.SudoUser != "" && r.SudoUser != r.User:
		return r.User + " (" + r.SudoUser + ")"
	}
	return r.User
}

// shownChanges is how many changes of one record fit on a line, beside those that say why it was done; --json has all.
const shownChanges = 2

// isGround reports whether a change says for whom and why something was done, which is never left out.
func isGround(c audit.Change) bool { return c.Field == fieldRequester || c.Field == fieldReason }

// why is the reason, by what, and what was changed.
func why(r *audit.Record) string {
	var parts []string
	add := func(text string) {
		if text != "" {
			parts = append(parts, text)
		}
	}
	add(r.Reason)
	if by := slices.DeleteFunc([]string{r.Method, r.Device, r.SecondFactor}, func(s string) bool { return s == "" }); len(by) > 0 {
		add("(" + strings.Join(by, ", ") + ")")
	}
	var grounds, changes []string
	for _, c := range shown(r.Changes) {
		if isGround(c) {
			grounds = append(grounds, changeText(c))
		} else {
			changes = append(changes, changeText(c))
		}
	}
	if more := len(changes) - shownChanges; more > 0 {
		changes = append(changes[:shownChanges], fmt.Sprintf("%d more", more))
	}
	add(strings.Join(append(grounds, changes...), "; "))
	if n := r.Repair.SkippedBytes; n > 0 {
		add(fmt.Sprintf("[behind %d bytes that are no record]", n))
	}
	if n := r.Repair.MissingRecords; n > 0 {
		add(fmt.Sprintf("[behind %d records that were missing]", n))
	}
	return strings.Join(parts, " ")
}

// shown leaves out what stands in the log only: the lines of a file, and its digest where what the change means is known.
func shown(changes []audit.Change) []audit.Change {
	lines := func(c audit.Change) bool { return strings.HasPrefix(c.Field, hunkMark) }
	digest := func(c audit.Change) bool { return c.Field == digestField }
	kept := slices.DeleteFunc(slices.Clone(changes), lines)
	if slices.ContainsFunc(kept, func(c audit.Change) bool { return !digest(c) }) {
		kept = slices.DeleteFunc(kept, digest)
	}
	return kept
}

func changeText(c audit.Change) string {
	before, after := shortDigest(c.Old), shortDigest(c.New)
	switch {
	case before == "":
		return c.Field + ": " + after
	case after == "":
		return c.Field + ": no longer " + before
	}
	return c.Field + ": " + before + " → " + after
}

// shortDigest cuts a SHA-256 to what is enough to tell two apart at a glance.
func shortDigest(text string) string {
	if b, err := hex.DecodeString(text); err == nil && len(b) == sha256.Size {
		return text[:8] + "…"
	}
	return text
}

func auditVerifyCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:  "verify",
		Usage: "is the log as it was written",
		Description: "Exit status 3 when it is not, with the first bad record. Without the verification key, which twokey init has shown\n" +
			"once, chain and head are checked; with it also every seal, so that what an intruder changed who was root is found. Type the key\n" +
			"only on a host that you trust: of one that you suspect, check a copy of /var/log/twokey on another, under --root=DIR.",
		Flags:  []cli.Flag{&cli.StringFlag{Name: "key", Usage: "the `FILE` with the verification key; - asks for it, or reads it from standard input"}},
		Action: func(c *cli.Context) error { return auditVerifyAction(c, ui) },
	}
}

func auditVerifyAction(c *cli.Context, ui *ui) error {
	if err := noArguments(c); err != nil {
		return err
	}
	h, err := openInForce(c, ui)
	if err != nil {
		return err
	}
	key, err := verificationKey(c.String("key"), ui)
	if err != nil {
		return err
	}
	report, err := audit.Verify(h.path(h.policy.Paths.Audit), key)
	if err != nil {
		return h.noLog(err)
	}
	return ui.verified(report)
}

// maxKeyFile is far above the length of a key, in bytes.
const maxKeyFile = 4096

// keyForges is told before the key is asked for.
//
// Attack: an intruder who is root reads the key from the process that it is typed to, and seals a rewritten log anew.
const keyForges = "Whoever is root here can read the key as you type it, and forge the log with it:\n" +
	"of a host that you suspect, check a copy of the log on another host."

// verificationKey reads the key from a file or standard input; nil without one.
func verificationKey(from string, ui *ui) (*audit.VerificationKey, error) {
	var text string
	switch from {
	case "":
		return nil, nil
	case "-":
		if ui.in.terminal() {
			ui.aside(keyForges)
		}
		answer, err := ui.ask("Verification key: ", true)
		if err != nil {
			return nil, err
		}
		text = answer
	default:
		file, err := safefile.ReadImport(from, maxKeyFile)
		if err != nil {
			return nil, err
		}
		text = string(file.Content)
	}
	key, err := audit.ParseVerificationKey(strings.TrimSpace(text))
	if err != nil {
		return nil, fmt.Errorf("--key %s: %w", from, err)
	}
	return &key, nil
}

// verification is what audit verify --json prints.
type verification struct {
	OK       bool         `json:"ok"`
	Records  uint64       `json:"records"`
	Sealed   bool         `json:"sealed"` // every seal was checked
	Last     verifiedLast `json:"last"`
	Problems []badRecord  `json:"problems"`
	Notes    []string     `json:"notes"`
}

type verifiedLast struct {
	Sequence uint64 `json:"sequence"`
	Hash     string `json:"hash"`
}

type badRecord struct {
	Sequence uint64 `json:"sequence"`
	Offset   int64  `json:"offset"`
	What     string `json:"what"`
}

// verified prints a report, the first bad record first.
func (u *ui) verified(r audit.Report) error {
	v := verification{OK: r.First() == nil, Records: r.Records, Sealed: r.Sealed, Problems: []badRecord{}, Notes: append([]string{}, r.Notes...),
		Last: verifiedLast{r.Last.Sequence, r.Last.Hash.String()}}
	for _, p := range r.Problems {
		v.Problems = append(v.Problems, badRecord{p.Sequence, p.Offset, p.What})
		u.say("CHANGED: %s", visible(p.What))
	}
	switch {
	case !v.OK && r.Problems[0].Sequence > 1:
		u.say("Up to record %d the log is as it was written.", r.Problems[0].Sequence-1)
	case !v.OK:
	case r.Sealed:
		u.say("The log is as it was written: %s, every seal is right.", records(r.Records))
	default:
		u.say("The log fits together: %s, chain and head are right.", records(r.Records))
		u.say("Whether root has rewritten it only the verification key can tell%s", forRoot(u.actor(), ": twokey audit verify --key FILE", ": twokey audit verify --key - asks for it"))
	}
	for _, note := range r.Notes {
		u.say("Note: %s", visible(note))
	}
	if err := u.object(v); err != nil {
		return err
	}
	if !v.OK {
		return errSilent
	}
	return nil
}

func records(n uint64) string {
	if n == 1 {
		return "1 record"
	}
	return fmt.Sprintf("%d records", n)
}
