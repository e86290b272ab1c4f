package policy

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// srcText is a configuration as text, with the tree that tells where things stand.
// It is changed by replacing bytes: writing the tree out again would keep the
// comments and lose blank lines, alignment, quotes and indentation. Each method
// returns a new text. None of them needs to be right about every spelling of
// YAML, since apply compares what comes out.
type srcText struct {
	src   []byte
	lines []int // where each line begins
	top   *yaml.Node
}

func openText(src []byte) (*srcText, error) {
	top, err := readTree(src)
	if err != nil {
		return nil, err
	}
	t := &srcText{src: src, lines: []int{0}, top: top}
	for i, b := range src {
		if b == '\n' {
			t.lines = append(t.lines, i+1)
		}
	}
	return t, nil
}

// pattern compiles an expression when it is first used: a login never does, and
// would wait for it.
func pattern(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}

func byHand(n *yaml.Node) error { return fmt.Errorf("%w: see line %d", ErrByHand, n.Line) }

func flow(n *yaml.Node) bool { return n.Style&yaml.FlowStyle != 0 }

// splice replaces the bytes from..to.
func (t *srcText) splice(from, to int, with string) []byte {
	return bytes.Join([][]byte{t.src[:from], t.src[to:]}, []byte(with))
}

// start is the offset at which a node begins. yaml.v3 counts columns in characters.
func (t *srcText) start(n *yaml.Node) int {
	at := t.lines[n.Line-1]
	for range n.Column - 1 {
		_, size := utf8.DecodeRune(t.src[at:])
		at += size
	}
	return at
}

// end is the offset behind a node.
func (t *srcText) end(n *yaml.Node) (int, error) {
	switch {
	case n.Kind == yaml.ScalarNode:
		return t.scalarEnd(n)
	case !flow(n):
		return t.end(n.Content[len(n.Content)-1])
	}
	at := t.start(n) + 1
	if len(n.Content) > 0 {
		var err error
		if at, err = t.end(n.Content[len(n.Content)-1]); err != nil {
			return 0, err
		}
	}
	closing := flowRest().FindIndex(t.src[at:])
	if closing == nil {
		return 0, byHand(n)
	}
	return at + closing[1], nil
}

// flowRest is what may stand between the last item and the closing bracket.
var flowRest = pattern(`^(?:[ \t\n,]|[ \t\n]#[^\n]*)*[\]}]`)

// quoted is a text in single or double quotes.
var quoted = pattern(`^(?:'(?:[^']|'')*'|"(?:[^"\\]|\\(?s:.))*")`)

func (t *srcText) scalarEnd(n *yaml.Node) (int, error) {
	at := t.start(n)
	if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
		if found := quoted().FindIndex(t.src[at:]); found != nil {
			return at + found[1], nil
		}
		return 0, byHand(n)
	}
	if !bytes.HasPrefix(t.src[at:], []byte(n.Value)) {
		return 0, byHand(n) // a block (| or >) or folded text
	}
	return at + len(n.Value), nil
}

// lineStart and lineEnd are the bounds of the line that at stands on, without its
// line feed.
func (t *srcText) lineStart(at int) int { return bytes.LastIndexByte(t.src[:at], '\n') + 1 }

func (t *srcText) lineEnd(at int) int {
	if i := bytes.IndexByte(t.src[at:], '\n'); i >= 0 {
		return at + i
	}
	return len(t.src)
}

// rest is what may stand behind something that has its line to itself.
var rest = pattern(`^[ \t]*(?:#.*)?$`)

// alone reports whether nothing but blanks and a comment share the lines of from..to.
func (t *srcText) alone(from, to int) bool {
	before := t.src[t.lineStart(from):from]
	return len(bytes.TrimLeft(before, " \t")) == 0 && rest().Match(t.src[to:t.lineEnd(to)])
}

// cutLines removes the lines of from..to, which have to be alone there.
func (t *srcText) cutLines(n *yaml.Node, from, to int) ([]byte, error) {
	if !t.alone(from, to) {
		return nil, byHand(n)
	}
	return t.splice(t.lineStart(from), min(t.lineEnd(to)+1, len(t.src)), ""), nil
}

// dash is the offset of the dash before an item of a block list.
func (t *srcText) dash(item *yaml.Node) (int, error) {
	start := t.start(item)
	before := bytes.TrimRight(t.src[t.lineStart(start):start], " \t")
	if !bytes.HasSuffix(before, []byte("-")) {
		return 0, byHand(item)
	}
	return t.lineStart(start) + len(before) - 1, nil
}

// replace gives a value another plain text.
func (t *srcText) replace(n *yaml.Node, with string) ([]byte, error) {
	to, err := t.end(n)
	if err != nil {
		return nil, err
	}
	return t.splice(t.start(n), to, with), nil
}

// insertKey adds a top-level key: below the comment that shows it, as the initial
// configuration has them, or else below version.
func (t *srcText) insertKey(key, value string) ([]byte, error) {
	if at := t.shownAt(key); at >= 0 {
		return t.splice(at, at, "\n"+key+": "+value), nil
	}
	return t.insertAfterVersion(key, value)
}

// shownAt is the end of a line such as "# discrepancy: 1" at the left margin, or -1.
func (t *srcText) shownAt(key string) int {
	if flow(t.top) || t.indent() != "" {
		return -1
	}
	for _, at := range t.lines {
		if bytes.HasPrefix(t.src[at:], []byte("# "+key+": ")) {
			return t.lineEnd(at)
		}
	}
	return -1
}

// insertAfterVersion adds a key below version, which every configuration has.
func (t *srcText) insertAfterVersion(key, value string) ([]byte, error) {
	at, err := t.end(valueOf(t.top, "version"))
	if err != nil {
		return nil, err
	}
	if flow(t.top) {
		return t.splice(at, at, ", "+key+": "+value), nil
	}
	at = t.lineEnd(at)
	return t.splice(at, at, "\n"+t.indent()+key+": "+value), nil
}

// indent is what stands before every top-level key.
func (t *srcText) indent() string { return strings.Repeat(" ", t.top.Column-1) }

// appendList adds a list of one item at the end of the file.
func (t *srcText) appendList(key, item string) ([]byte, error) {
	if flow(t.top) {
		return t.insertAfterVersion(key, "["+item+"]")
	}
	lines := t.indent() + key + ":\n" + t.indent() + "  - " + item + "\n"
	if !bytes.HasSuffix(t.src, []byte("\n")) {
		lines = "\n" + lines
	}
	return t.splice(len(t.src), len(t.src), lines), nil
}

// appendItem adds an item behind the last one of a list.
func (t *srcText) appendItem(list *yaml.Node, item string) ([]byte, error) {
	last := list.Content[len(list.Content)-1]
	at, err := t.end(last)
	if err != nil {
		return nil, err
	}
	if flow(list) {
		return t.splice(at, at, ", "+item), nil
	}
	dash, err := t.dash(last)
	if err != nil {
		return nil, err
	}
	at = t.lineEnd(at)
	return t.splice(at, at, "\n"+string(t.src[t.lineStart(dash):dash])+"- "+item), nil
}

// cutItem removes an item of a list that keeps others.
func (t *srcText) cutItem(list *yaml.Node, i int) ([]byte, error) {
	item := list.Content[i]
	if flow(list) {
		return t.cutFlow(item, item)
	}
	from, err := t.dash(item)
	if err != nil {
		return nil, err
	}
	to, err := t.end(item)
	if err != nil {
		return nil, err
	}
	return t.cutLines(item, from, to)
}

// cutPair removes a key and its value from an entry that keeps others.
func (t *srcText) cutPair(entry *yaml.Node, name string) ([]byte, error) {
	i := pairOf(entry, name)
	key, value := entry.Content[i], entry.Content[i+1]
	if flow(entry) {
		return t.cutFlow(key, value)
	}
	to, err := t.end(value)
	if err != nil {
		return nil, err
	}
	if i > 0 {
		return t.cutLines(key, t.start(key), to)
	}
	// The first key stands behind the dash: the second one takes its place.
	next := t.start(entry.Content[2])
	if !gap().Match(t.src[to:next]) {
		return nil, byHand(key)
	}
	return t.splice(t.start(key), next, ""), nil
}

// cutKey removes a key of a mapping that keeps others, and is no item of a list,
// with its value. There must be no comment inside the value.
func (t *srcText) cutKey(mapping *yaml.Node, name string) ([]byte, error) {
	i := pairOf(mapping, name)
	key, value := mapping.Content[i], mapping.Content[i+1]
	if flow(mapping) {
		return t.cutFlow(key, value)
	}
	to, err := t.end(value)
	if err != nil {
		return nil, err
	}
	if t.commented(t.start(key), to) {
		return nil, byHand(value)
	}
	return t.cutLines(key, t.start(key), to)
}

// pairOf is the index of a key that the mapping has.
func pairOf(mapping *yaml.Node, name string) int {
	i := 0
	for mapping.Content[i].Value != name {
		i += 2
	}
	return i
}

// replaceValue gives a key of a mapping another value, in which there must be no
// comment that would be lost.
func (t *srcText) replaceValue(mapping *yaml.Node, name, with string) ([]byte, error) {
	i := pairOf(mapping, name)
	key, value := mapping.Content[i], mapping.Content[i+1]
	from := t.start(value)
	to, err := t.end(value)
	if err != nil {
		return nil, err
	}
	if value.Kind != yaml.ScalarNode && !flow(value) { // it begins on a line of its own
		behind, err := t.end(key)
		if err != nil {
			return nil, err
		}
		from, with = behind+bytes.IndexByte(t.src[behind:], ':')+1, " "+with
	}
	if value.Kind != yaml.ScalarNode && t.commented(from, to) {
		return nil, byHand(value)
	}
	return t.splice(from, to, with), nil
}

// insertPair adds a key to a mapping below another key, behind its last one.
func (t *srcText) insertPair(mapping *yaml.Node, key, value string) ([]byte, error) {
	if len(mapping.Content) == 0 {
		return nil, byHand(mapping)
	}
	at, err := t.end(mapping.Content[len(mapping.Content)-1])
	if err != nil {
		return nil, err
	}
	if flow(mapping) {
		return t.splice(at, at, ", "+key+": "+value), nil
	}
	at = t.lineEnd(at)
	return t.splice(at, at, "\n"+strings.Repeat(" ", mapping.Column-1)+key+": "+value), nil
}

// commented reports whether there could be a comment between two offsets.
func (t *srcText) commented(from, to int) bool { return comment().Match(t.src[from:to]) }

var comment = pattern(`(?m)(?:^|[ \t,\[\]{}])#`)

// gap is what may be lost between two keys: no comment on a line of its own.
var gap = pattern(`^[ \t]*(?:#[^\n]*)?\n *$`)

// cutList removes a top-level key with a list of one item. Comments on lines of
// their own between the two stay.
func (t *srcText) cutList(name string) ([]byte, error) {
	i := pairOf(t.top, name)
	key, list := t.top.Content[i], t.top.Content[i+1]
	if flow(t.top) {
		return t.cutFlow(key, list)
	}
	if flow(list) {
		to, err := t.end(list)
		if err != nil {
			return nil, err
		}
		return t.cutLines(key, t.start(key), to)
	}
	without, err := t.cutItem(list, 0)
	if err != nil {
		return nil, err
	}
	to, err := t.end(key)
	if err != nil {
		return nil, err
	}
	colon := bytes.IndexByte(t.src[to:], ':')
	above := &srcText{src: without} // the key stands before the item, its offsets still hold
	return above.cutLines(key, t.start(key), to+colon+1)
}

// cutFlow removes first..last from a list or mapping in brackets that keeps
// others: its lines if it has them to itself, else with the comma before it, or
// behind it if it is the first.
func (t *srcText) cutFlow(first, last *yaml.Node) ([]byte, error) {
	from := t.start(first)
	to, err := t.end(last)
	if err != nil {
		return nil, err
	}
	behind := to
	if comma := commaBehind().FindIndex(t.src[to:]); comma != nil {
		behind = to + comma[1]
	}
	if t.alone(from, behind) {
		return t.cutLines(first, from, behind)
	}
	if comma := commaBefore().FindIndex(t.src[t.lineStart(from):from]); comma != nil {
		return t.splice(t.lineStart(from)+comma[0], to, ""), nil
	}
	return t.splice(from, behind, ""), nil
}

var (
	commaBehind = pattern(`^[ \t]*,[ \t]*`)
	commaBefore = pattern(`[ \t]*,[ \t]*$`)
)
