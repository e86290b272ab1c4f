package batch

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// A file is cut into its entries before YAML is parsed: the nodes of a hundred thousand users are some 500 MB. Where a file is cut is
// decided by the indentation alone. Where YAML would have gone on (in a text in quotation marks that goes on at the margin) the
// first half is not YAML, so that nothing is cut in silence.

// list is one of the two lists of a file.
type list struct {
	name   string
	line   int // where it begins
	indent int // of its hyphens; -1: there was none yet
}

// item is one entry of a list, before it is parsed.
type item struct {
	line int // of its hyphen
	text strings.Builder
}

// splitter cuts a file into entries.
type splitter struct {
	p       *parser
	in      *lines
	seen    map[string]int // line of each key of the outermost level
	started bool           // "---" may not come any more
	list    *list
	item    *item
}

func (p *parser) readYAML(in *lines, first string) error {
	s := &splitter{p: p, in: in, seen: map[string]int{}}
	line, err := first, error(nil)
	if in.number == 0 {
		err = io.EOF
	}
	for ; err == nil; line, err = in.next() {
		if err := s.take(line); err != nil {
			return err
		}
	}
	if err != io.EOF {
		return err
	}
	s.endItem()
	if _, there := s.seen["version"]; !there {
		return fmt.Errorf("%s: %w", p.file.Name, errors.New(`not a list of users: want "version: 1" first`))
	}
	p.finish()
	return nil
}

var (
	keyLine = regexp.MustCompile(`^([A-Za-z_]+):(?:[ \t]+(.*))?$`)
	comment = regexp.MustCompile(`(^|[ \t]+)#.*$`)
)

// take looks at the next line.
func (s *splitter) take(line string) error {
	content := strings.TrimLeft(line, " ")
	indent := len(line) - len(content)
	switch {
	case strings.TrimSpace(content) == "" || content[0] == '#':
		return s.toItem(line)
	case indent == 0 && content == "---" && !s.started:
		s.started = true
		return nil
	case indent == 0 && (strings.HasPrefix(content, "---") || strings.HasPrefix(content, "...")):
		return s.in.wrong(errors.New("a second document: want one list of users"))
	case s.list != nil && (content == "-" || strings.HasPrefix(content, "- ")) && (s.list.indent < 0 || indent == s.list.indent):
		return s.begin(indent, line)
	case indent == 0 && content[0] != '-':
		return s.key(content)
	case s.item != nil && indent > s.list.indent:
		return s.toItem(line)
	}
	return s.in.wrong(errors.New(`want "version: 1", "users:", "groups:", or an entry that begins with a hyphen under the others`))
}

// key takes a line of the outermost level.
func (s *splitter) key(content string) error {
	s.started = true
	s.endItem()
	s.list = nil
	found := keyLine.FindStringSubmatch(content)
	if found == nil {
		return s.in.wrong(errors.New(`want "version: 1", "users:" or "groups:", each entry on lines of its own`))
	}
	key, value := found[1], comment.ReplaceAllString(found[2], "")
	if before, there := s.seen[key]; there {
		return s.in.wrong(fmt.Errorf("%s is there twice, before in line %d", key, before))
	}
	s.seen[key] = s.in.number
	switch key {
	case "version":
		if value != "1" {
			return s.in.wrong(fmt.Errorf("version %.20q, this program knows version 1", value))
		}
	case "users", "groups":
		if value != "" && value != "[]" {
			return s.in.wrong(fmt.Errorf("%s: want each entry on lines of its own, behind a hyphen", key))
		}
		if value == "" {
			s.list = &list{name: key, line: s.in.number, indent: -1}
		}
	default:
		return s.in.wrong(fmt.Errorf("unknown key %q, want version, users or groups", key))
	}
	return nil
}

// begin starts the next entry.
func (s *splitter) begin(indent int, line string) error {
	s.endItem()
	if err := s.p.count(s.in); err != nil {
		return err
	}
	s.list.indent = indent
	s.item = &item{line: s.in.number}
	return s.toItem(line)
}

// toItem adds a line to the entry that is being read; between the lists there may be comments.
func (s *splitter) toItem(line string) error {
	if s.item == nil {
		return nil
	}
	if s.item.text.Len()+len(line) > maxItem {
		return s.in.wrongAt(s.item.line, fmt.Errorf("an entry of more than %d KiB", maxItem>>10))
	}
	s.item.text.WriteString(line)
	s.item.text.WriteByte('\n')
	return nil
}

func (s *splitter) endItem() {
	if s.item == nil {
		return
	}
	it := s.item
	s.item = nil
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(it.text.String()), &document); err != nil {
		s.p.wrong(it.errorLine(err), "", errors.New("not YAML: "+whatIsNoYAML(err)))
		return
	}
	n := reader{first: it.line, options: s.p.options}
	entry := document.Content[0].Content[0]
	if s.list.name == "groups" {
		g, err := n.group(entry)
		if err != nil {
			s.p.wrong(it.line, g.Name, err)
			if g.Name != "" {
				s.p.dropGroup(g.Name)
			}
			return
		}
		s.p.addGroup(g)
		return
	}
	u, err := n.user(entry)
	if err != nil {
		s.p.wrong(it.line, u.Name, err)
		if u.Name != "" {
			s.p.dropUser(u.Name)
		}
		return
	}
	s.p.addUser(u)
}

// yamlPlace begins the library's errors.
var yamlPlace = regexp.MustCompile(`^yaml: (line (\d+): )?`)

// whatIsNoYAML is the library's error without its place.
func whatIsNoYAML(err error) string {
	text := yamlPlace.ReplaceAllString(err.Error(), "")
	return unknownAlias.ReplaceAllString(text, "an alias of nothing: a value that begins with * needs quotation marks")
}

// unknownAlias is the one error of the library that repeats what stands in the file: a secret, if that begins with an asterisk.
var unknownAlias = regexp.MustCompile(`^unknown anchor .*`)

// errorLine is where in the file the library found the entry not to be YAML.
func (it *item) errorLine(err error) int {
	found := yamlPlace.FindStringSubmatch(err.Error())
	if found == nil || found[2] == "" {
		return it.line
	}
	n, err := strconv.Atoi(found[2])
	last := strings.Count(it.text.String(), "\n")
	if err != nil || n < 1 {
		return it.line
	}
	return it.line + min(n, last) - 1
}
