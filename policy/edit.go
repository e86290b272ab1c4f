package policy

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
)

// ErrByHand says that the file is written in a way that [Edit] does not change
// without a doubt; a person has to.
var ErrByHand = errors.New("this configuration has to be edited by hand")

// A Change is what [Edit] can do: [AddRequire], [AddExempt], [Unset], [SetEnabled]
// or [SetDefault].
type Change interface {
	// check tells what is wrong with the change itself.
	check() error
	// next gives the first step that is still missing, or nil.
	next(*Config) step
}

// AddRequire adds an entry to require. Names that an entry of require already
// covers are left out. A name that an entry of exempt covers as widely is taken
// off there, since the exemption would go before. Services alone mean everybody
// on them.
type AddRequire Entry

// AddExempt adds an entry to exempt, and takes the names off the entries of
// require that could no longer do anything.
type AddExempt Entry

// Unset takes names off every entry of both lists. An entry goes when it names
// nobody any more, also if it has services left: these only narrowed it, and
// alone would mean everybody. Services here are those of entries that name
// services alone.
type Unset Entry

// SetEnabled sets the master switch.
type SetEnabled bool

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
	for s := change.next(c); s != nil; s = change.next(c) {
		if src, c, err = apply(src, c, s); err != nil {
			return nil, err
		}
	}
	return src, nil
}

// apply makes one step in the text and in the policy and compares.
func apply(src []byte, c *Config, s step) ([]byte, *Config, error) {
	t, err := openText(src)
	if err != nil {
		return nil, nil, err
	}
	edited, err := s.inText(t, c)
	if err != nil {
		return nil, nil, err
	}
	if len(edited) > MaxSource {
		return nil, nil, fmt.Errorf("the changed configuration would have %d bytes, the limit is %d", len(edited), MaxSource)
	}
	got, err := Parse(edited)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: the result would not parse: %w", ErrByHand, err)
	}
	want := c.clone()
	s.inPolicy(want)
	if !bytes.Equal(got.Compile([sha256.Size]byte{}), want.Compile([sha256.Size]byte{})) {
		return nil, nil, fmt.Errorf("%w: the result would mean something else", ErrByHand)
	}
	return edited, got, nil
}

// A step is one small change, in the text and in the parsed policy.
type step interface {
	inText(*srcText, *Config) ([]byte, error)
	inPolicy(*Config)
}

func (a AddRequire) check() error { return checkEntry(Entry(a)) }
func (a AddExempt) check() error  { return checkEntry(Entry(a)) }
func (u Unset) check() error      { return checkEntry(Entry(u)) }
func (SetEnabled) check() error   { return nil }

func (s SetDefault) check() error {
	if Decision(s) < Deny || Decision(s) > Exempt {
		return fmt.Errorf("%d is no decision", int(s))
	}
	return nil
}

func checkEntry(e Entry) error {
	for _, s := range e.names() {
		if wrong := checkName(s.kind, s.name); wrong != "" {
			return errors.New(wrong)
		}
	}
	if len(e.names()) == 0 {
		return errors.New("no user, group or service is named")
	}
	return nil
}

func (a AddRequire) next(c *Config) step {
	added := Entry(a)
	for i, e := range c.Exempt {
		if s := cutFrom("exempt", i, e, added.subjects()); s != nil && covers(e.limit(), added.limit()) {
			return s
		}
	}
	return addMissing("require", c.Require, added)
}

func (a AddExempt) next(c *Config) step {
	added := Entry(a)
	for i, e := range c.Require {
		if s := cutFrom("require", i, e, added.subjects()); s != nil && covers(added.limit(), e.limit()) {
			return s
		}
	}
	return addMissing("exempt", c.Exempt, added)
}

func (u Unset) next(c *Config) step {
	for _, list := range []string{"require", "exempt"} {
		for i, e := range *c.entries(list) {
			if s := cutFrom(list, i, e, Entry(u).names()); s != nil {
				return s
			}
		}
	}
	return nil
}

func (s SetEnabled) next(c *Config) step {
	if c.Off == !bool(s) {
		return nil
	}
	return setKey{"enabled", fmt.Sprint(bool(s)), func(c *Config) { c.Off = !bool(s) }}
}

func (s SetDefault) next(c *Config) step {
	if c.Default == Decision(s) {
		return nil
	}
	return setKey{"default", Decision(s).String(), func(c *Config) { c.Default = Decision(s) }}
}

// covers reports whether an entry narrowed to the services a reaches everything
// that one narrowed to b does. No services means not narrowed.
func covers(a, b []string) bool {
	outside := func(service string) bool { return !slices.Contains(a, service) }
	return len(a) == 0 || len(b) > 0 && !slices.ContainsFunc(b, outside)
}

// cutFrom takes the first of the names off an entry, or gives nil if it is about
// none of them.
func cutFrom(list string, i int, e Entry, names []subject) step {
	position := map[string]int{}
	for _, s := range e.subjects() {
		if slices.Contains(names, s) {
			return cut{list, i, s.kind, position[s.kind]}
		}
		position[s.kind]++
	}
	return nil
}

// addMissing adds what no entry of the list covers yet, or gives nil.
func addMissing(list string, entries []Entry, added Entry) step {
	var e Entry
	for _, s := range added.subjects() {
		covered := slices.ContainsFunc(entries, func(old Entry) bool {
			return slices.Contains(old.subjects(), s) && covers(old.limit(), added.limit())
		})
		names := e.list(s.kind)
		if !covered && !slices.Contains(*names, s.name) {
			*names = append(*names, s.name)
		}
	}
	if len(e.names()) == 0 {
		return nil
	}
	if !added.everybody() {
		e.Services = added.Services
	}
	return add{list, e}
}

// setKey gives a top-level key a plain value.
type setKey struct {
	key, value string
	set        func(*Config)
}

func (s setKey) inPolicy(c *Config) { s.set(c) }

func (s setKey) inText(t *srcText, _ *Config) ([]byte, error) {
	if n := valueOf(t.top, s.key); n != nil {
		return t.replace(n, s.value)
	}
	return t.insertAfterVersion(s.key, s.value)
}

// add appends an entry to a list.
type add struct {
	list  string
	entry Entry
}

func (s add) inPolicy(c *Config) {
	entries := c.entries(s.list)
	*entries = append(*entries, s.entry)
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
	kind  string // users, groups or services
	name  int
}

func (s cut) inPolicy(c *Config) {
	entries := c.entries(s.list)
	e := &(*entries)[s.entry]
	if len(e.subjects()) == 1 {
		*entries = slices.Delete(*entries, s.entry, s.entry+1)
		return
	}
	names := e.list(s.kind)
	*names = slices.Delete(*names, s.name, s.name+1)
}

func (s cut) inText(t *srcText, c *Config) ([]byte, error) {
	entries := *c.entries(s.list)
	e := entries[s.entry]
	list := valueOf(t.top, s.list)
	switch item := list.Content[s.entry]; {
	case len(e.subjects()) == 1 && len(entries) == 1:
		return t.cutList(s.list)
	case len(e.subjects()) == 1:
		return t.cutItem(list, s.entry)
	case len(*e.list(s.kind)) == 1:
		return t.cutPair(item, s.kind)
	default:
		return t.cutItem(valueOf(item, s.kind), s.name)
	}
}
