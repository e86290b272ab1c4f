package importer

import (
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// What is far above what PSKC needs is an attack on the memory.
const (
	maxDepth    = 24
	maxElements = 1 << 19
	maxText     = 64 << 10 // bytes in one element
)

// node is an element. Its name is without the namespace: prefixes and namespaces are used in several ways, names are not.
type node struct {
	name, space string
	line        int
	attrs       map[string]string
	text        string
	children    []*node
}

// parseXML reads a whole document. There are no entities but the five of XML itself, no other character set than UTF-8, and no
// document type: with one, a file of a few lines grows to gigabytes, or reads /etc/shadow.
func parseXML(r io.Reader) (*node, error) {
	d := xml.NewDecoder(r)
	top := &node{}
	open := []*node{top}
	for elements := 0; ; {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		line, _ := d.InputPos()
		if err != nil {
			return nil, &atLine{line, fmt.Errorf("not XML: %w", err)}
		}
		last := open[len(open)-1]
		switch t := token.(type) {
		case xml.Directive:
			return nil, &atLine{line, errors.New("a document type is not taken")}
		case xml.StartElement:
			n := newNode(t, line)
			last.children = append(last.children, n)
			if open = append(open, n); len(open) > maxDepth {
				return nil, &atLine{line, fmt.Errorf("nested more than %d deep", maxDepth)}
			}
			if elements++; elements > maxElements {
				return nil, &atLine{line, fmt.Errorf("more than %d elements", maxElements)}
			}
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if len(last.text)+len(t) > maxText {
				return nil, &atLine{line, fmt.Errorf("more than %d KiB of text", maxText>>10)}
			}
			last.text += string(t)
		}
	}
	if len(top.children) != 1 {
		return nil, errors.New("not an XML document with one element at the top")
	}
	return top.children[0], nil
}

func newNode(t xml.StartElement, line int) *node {
	n := &node{name: t.Name.Local, space: t.Name.Space, line: line}
	if len(t.Attr) > 0 {
		n.attrs = map[string]string{}
	}
	for _, a := range t.Attr {
		n.attrs[a.Name.Local] = a.Value
	}
	return n
}

// all are the children of a name.
func (n *node) all(name string) (found []*node) {
	if n == nil {
		return nil
	}
	for _, child := range n.children {
		if child.name == name {
			found = append(found, child)
		}
	}
	return found
}

// one follows names down from an element; nil where there is none. Of two the first reader takes one and the next the other.
func (n *node) one(names ...string) (*node, error) {
	for _, name := range names {
		children := n.all(name)
		switch len(children) {
		case 0:
			return nil, nil
		case 1:
			n = children[0]
		default:
			return nil, fmt.Errorf("<%s> is there twice in <%s>", name, n.name)
		}
	}
	return n, nil
}

// textOf is the text of the element to which names lead; "": there is none.
func (n *node) textOf(names ...string) (string, error) {
	at, err := n.one(names...)
	if at == nil {
		return "", err
	}
	return strings.TrimSpace(at.text), nil
}

// bytesOf is the base64 of an element, which may be cut into lines.
func (n *node) bytesOf(names ...string) ([]byte, error) {
	text, err := n.textOf(names...)
	if err != nil {
		return nil, err
	}
	b, err := base64.StdEncoding.Strict().DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		return nil, fmt.Errorf("<%s>: not base64", names[len(names)-1])
	}
	return b, nil
}
