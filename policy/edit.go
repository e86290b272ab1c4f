package policy

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"gopkg.in/yaml.v3"
)

// ErrByHand says that the file is written in a way that [Edit] does not change
// without a doubt; a person has to.
var ErrByHand = errors.New("this configuration has to be edited by hand")

// ErrGoesBefore says that an entry would decide in the place of the new one, which
// would look right and do nothing. It has to be taken off first.
var ErrGoesBefore = errors.New("another entry goes before this one")

// A Change is what [Edit] can do: [AddRequire], [AddExempt], [Unset], [SetEnabled],
// [SetOffUntil], [SetDefault], [SetKey], [SetSMS] or [SetPush].
type Change interface {
	// check tells what is wrong with the change itself.
	check() error
	// next gives the first step that is still missing, or nil. The tree is that of
	// the text which the policy was parsed from.
	next(*Config, *yaml.Node) step
}

// AddRequire adds an entry to require. Names that an entry of require already
// covers are left out ([Covering]); an entry for the same name in the same place
// with other dates, be they earlier or later, is replaced. A name that an entry of exempt covers as widely is taken off
// there, since the exemption would go before. Services alone mean everybody on
// them. A wider entry with another By is [ErrGoesBefore].
type AddRequire Entry

// AddExempt adds an entry to exempt, as [AddRequire] does, and takes the names off
// the entries of require that could no longer do anything.
type AddExempt Entry

// Unset takes names off every entry of both lists. An entry goes when it names
// nobody any more, also if it has services or sources left: these only narrowed
// it, and alone would mean everybody. Services and sources here are those of
// entries that name nobody, only services or only sources.
type Unset Entry

// SetEnabled sets the master switch, and ends what [SetOffUntil] has set.
type SetEnabled bool

// SetOffUntil switches off until a moment, and then on again by itself. What
// [SetEnabled] has switched off is off until then only.
type SetOffUntil time.Time

// SetDefault sets the decision for everybody whom no entry matches.
type SetDefault Decision

// Edit makes the change in a configuration and keeps its comments, order and
// spelling. If nothing has to change the result is src itself. A comment on
// the line of a name or an entry that goes, goes with it. The error is an *[Error]
// if src does not parse, and wraps [ErrByHand] if it is written in a way that
// cannot be changed safely.
//
// The change is made in steps (take a name off, add an entry, set a value), each
// both in the text and in the parsed policy; a text that does not then parse to
// exactly that policy is an error. So a fault in the surgery can refuse a change,
// and can never make another one.
func Edit(src []byte, change Change) ([]byte, error) {
	if err := change.check(); err != nil {
		return nil, err
	}
	c, err := Parse(src)
	if err != nil {
		return nil, err
	}
	for {
		t, err := openText(src)
		if err != nil {
			return nil, err
		}
		s := change.next(c, t.top)
		if s == nil {
			return src, nil
		}
		if src, c, err = apply(t, c, s); err != nil {
			return nil, err
		}
	}
}

// apply makes one step in the text and in the policy and compares.
func apply(t *srcText, c *Config, s step) ([]byte, *Config, error) {
	edited, err := s.inText(t, c)
	if err != nil {
		return nil, nil, err
	}
	if len(edited) > MaxSource {
		return nil, nil, fmt.Errorf("the changed configuration would have %d bytes, the limit is %d", len(edited), MaxSource)
	}
	want := c.clone()
	wrong := s.inPolicy(want)
	got, err := Parse(edited)
	switch {
	case err != nil && wrong != nil: // both say that the change itself is at fault
		return nil, nil, err
	case err != nil:
		return nil, nil, fmt.Errorf("%w: the result would not parse: %w", ErrByHand, err)
	case wrong != nil || !got.same(want):
		return nil, nil, fmt.Errorf("%w: the result would mean something else", ErrByHand)
	}
	return edited, got, nil
}

// A step is one small change, in the text and in the parsed policy.
type step interface {
	inText(*srcText, *Config) ([]byte, error)
	// inPolicy fails when no policy can have what the step sets.
	inPolicy(*Config) error
}

func (a AddRequire) check() error { return checkEntry("require", Entry(a)) }
func (a AddExempt) check() error  { return checkEntry("exempt", Entry(a)) }
func (u Unset) check() error      { return checkNames(Entry(u)) }
func (SetEnabled) check() error   { return nil }

func (s SetOffUntil) check() error {
	if t := time.Time(s); t.IsZero() || !t.Equal(t.Truncate(time.Second)) {
		return errors.New("want a moment in whole seconds")
	}
	return nil
}

func (s SetDefault) check() error {
	if Decision(s) < Deny || Decision(s) > Exempt {
		return fmt.Errorf("%d is no decision", int(s))
	}
	return nil
}

func checkNames(e Entry) error {
	for _, s := range e.parts() {
		wrong := ""
		switch s.kind {
		case "users", "groups", "services":
			wrong = checkName(s.kind, s.name)
		default:
			wrong = checkText(s.name)
		}
		if wrong != "" {
			return errors.New(wrong)
		}
	}
	if len(e.parts()) == 0 {
		return errors.New("no user, group or service is named")
	}
	return nil
}

// checkEntry asks the parser what it thinks of the entry alone.
func checkEntry(list string, e Entry) error {
	if err := checkNames(e); err != nil {
		return err
	}
	c, err := Parse([]byte("version: 1\n" + list + ": [" + flowEntry(e) + "]\n"))
	var wrong *Error
	switch {
	case errors.As(err, &wrong):
		return errors.New(wrong.Msg)
	case err != nil:
		return err
	case !slices.EqualFunc(*c.entries(list), []Entry{e}, sameEntry):
		return errors.New("this cannot be written into a configuration")
	}
	return nil
}

// sameEntry compares what two entries say.
func sameEntry(a, b Entry) bool { return flowEntry(a) == flowEntry(b) }

func (a AddRequire) next(c *Config, _ *yaml.Node) step {
	added := Entry(a)
	for i, e := range c.Exempt {
		if s := cutFrom("exempt", i, e, added.about()); s != nil && placeCovers(e, added) {
			return s
		}
	}
	return addMissing("require", c.Require, added)
}

func (a AddExempt) next(c *Config, _ *yaml.Node) step {
	added := Entry(a)
	for i, e := range c.Require {
		if s := cutFrom("require", i, e, added.about()); s != nil && placeCovers(added, e) && periodCovers(added, e) {
			return s
		}
	}
	return addMissing("exempt", c.Exempt, added)
}

func (u Unset) next(c *Config, _ *yaml.Node) step {
	for _, list := range []string{"require", "exempt"} {
		for i, e := range *c.entries(list) {
			if s := cutFrom(list, i, e, Entry(u).parts()); s != nil {
				return s
			}
		}
	}
	return nil
}

func (s SetEnabled) next(c *Config, _ *yaml.Node) step {
	switch {
	case !c.OffUntil.IsZero():
		return dropTop{"off_until", func(c *Config) { c.OffUntil = time.Time{} }}
	case c.Off == !bool(s):
		return nil
	}
	return setTop{"enabled", fmt.Sprint(bool(s)), func(c *Config) { c.Off = !bool(s) }}
}

func (s SetOffUntil) next(c *Config, _ *yaml.Node) step {
	until := time.Time(s).UTC()
	switch {
	case c.Off:
		return setTop{"enabled", "true", func(c *Config) { c.Off = false }}
	case c.OffUntil.Equal(until):
		return nil
	}
	return setTop{"off_until", until.Format(time.RFC3339), func(c *Config) { c.OffUntil = until }}
}

func (s SetDefault) next(c *Config, _ *yaml.Node) step {
	if c.Default == Decision(s) {
		return nil
	}
	return setTop{"default", Decision(s).String(), func(c *Config) { c.Default = Decision(s) }}
}

// cutFrom takes the first of the names off an entry, or gives nil if it is about
// none of them.
func cutFrom(list string, i int, e Entry, names []subject) step {
	position := map[string]int{}
	for _, s := range e.about() {
		if slices.Contains(names, s) {
			return cut{list, i, s.kind, position[s.kind]}
		}
		position[s.kind]++
	}
	return nil
}

// addMissing adds what no entry of the list covers yet, or gives nil. Entries that
// would go before it, or mean the same at another time, are dealt with first.
func addMissing(list string, entries []Entry, added Entry) step {
	var missing []subject
	for _, s := range added.about() {
		covered := false
		for i, old := range entries {
			same := cutFrom(list, i, old, []subject{s})
			switch {
			case same == nil:
			case placeCovers(old, added) && placeCovers(added, old) && !sameDays(old, added):
				return same // also when it counts for longer: a day that was given as the last one must be
			case old.covers(added):
				covered = true
			case placeCovers(old, added) && old.By != added.By:
				return inTheWay{fmt.Errorf("%w: %s[%d] is about %s more widely, with another date", ErrGoesBefore, list, i, s)}
			}
		}
		if !covered {
			missing = append(missing, s)
		}
	}
	if len(missing) == 0 {
		return nil // what is left of the entry, alone, would be about everybody
	}
	return add{list, added.only(missing)}
}

// inTheWay is a step that cannot be made.
type inTheWay struct{ err error }

func (s inTheWay) inPolicy(*Config) error                   { return s.err }
func (s inTheWay) inText(*srcText, *Config) ([]byte, error) { return nil, s.err }

// setTop gives a top-level key a plain value.
type setTop struct {
	key, value string
	set        func(*Config)
}

func (s setTop) inPolicy(c *Config) error {
	s.set(c)
	return nil
}

func (s setTop) inText(t *srcText, _ *Config) ([]byte, error) {
	if n := valueOf(t.top, s.key); n != nil {
		return t.replace(n, s.value)
	}
	return t.insertKey(s.key, s.value)
}

// dropTop takes a top-level key out.
type dropTop struct {
	key   string
	unset func(*Config)
}

func (s dropTop) inPolicy(c *Config) error {
	s.unset(c)
	return nil
}

func (s dropTop) inText(t *srcText, _ *Config) ([]byte, error) { return t.cutKey(t.top, s.key) }

// add appends an entry to a list.
type add struct {
	list  string
	entry Entry
}

func (s add) inPolicy(c *Config) error {
	entries := c.entries(s.list)
	*entries = append(*entries, s.entry)
	return nil
}

func (s add) inText(t *srcText, _ *Config) ([]byte, error) {
	if n := valueOf(t.top, s.list); n != nil {
		return t.appendItem(n, flowEntry(s.entry))
	}
	return t.appendList(s.list, flowEntry(s.entry))
}

// cut takes one name off an entry, and the entry with it if it was about nobody
// else, and the key with it if that was its only entry.
type cut struct {
	list  string
	entry int
	kind  string // of a subject
	name  int
}

func (s cut) inPolicy(c *Config) error {
	entries := c.entries(s.list)
	e := &(*entries)[s.entry]
	switch names := e.items(s.kind); {
	case len(e.about()) == 1:
		*entries = slices.Delete(*entries, s.entry, s.entry+1)
	case names == nil:
		e.SystemAccounts = false
	default:
		*names = slices.Delete(*names, s.name, s.name+1)
	}
	return nil
}

func (s cut) inText(t *srcText, c *Config) ([]byte, error) {
	entries := *c.entries(s.list)
	e := entries[s.entry]
	list := valueOf(t.top, s.list)
	names := e.items(s.kind)
	switch item := list.Content[s.entry]; {
	case len(e.about()) == 1 && len(entries) == 1:
		return t.cutList(s.list)
	case len(e.about()) == 1:
		return t.cutItem(list, s.entry)
	case names == nil || len(*names) == 1:
		return t.cutPair(item, s.kind)
	default:
		return t.cutItem(valueOf(item, s.kind), s.name)
	}
}
