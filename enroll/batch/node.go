package batch

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"twokey/policy"
)

// reader makes a user or a group of the nodes of one entry. Scalars are taken as they stand in the file: YAML would make a number of
// the user 007, and a truth of the user on.
type reader struct {
	first   int // line of the file in which line 1 of the entry is
	options Options
}

func (r reader) wrong(n *yaml.Node, format string, args ...any) error {
	return &at{r.line(n), fmt.Errorf(format, args...)}
}

func (r reader) line(n *yaml.Node) int { return r.first + n.Line - 1 }

// fields calls do for each field of a mapping; a field that is there twice is an error.
func (r reader) fields(n *yaml.Node, do func(key string, value *yaml.Node) error) error {
	if n.Kind != yaml.MappingNode || n.Anchor != "" || n.Style&yaml.TaggedStyle != 0 {
		return r.wrong(n, "want fields such as \"user: alice\"")
	}
	seen := map[string]bool{}
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if err := r.plain(key); err != nil {
			return err
		}
		if seen[key.Value] {
			return r.wrong(key, "%s is there twice", key.Value)
		}
		seen[key.Value] = true
		if err := do(key.Value, value); err != nil {
			return err
		}
	}
	return nil
}

// plain refuses what is not a value by itself.
func (r reader) plain(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode || n.Anchor != "" || n.Style&yaml.TaggedStyle != 0 {
		return r.wrong(n, "want one value, without anchors, aliases and tags")
	}
	return nil
}

// setter is the set of a user or a device.
type setter func(field, text string) (known bool, err error)

// set gives a plain field its value. Known are the fields that the entry can have.
func (r reader) set(key string, n *yaml.Node, known []string, to setter) error {
	if !slices.Contains(known, key) {
		return r.wrong(n, "unknown field %s%s", shown(key), meant(key, known))
	}
	if err := r.plain(n); err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	if n.Value == "" || n.Tag == "!!null" {
		return r.wrong(n, "%s: there is no value", key)
	}
	if _, err := to(key, n.Value); err != nil {
		return &at{r.line(n), ofField(key, err)}
	}
	return nil
}

// meant asks for the field that a misspelt one probably is.
func meant(key string, known []string) string {
	if best := policy.Nearest(key, known); best != "" {
		return fmt.Sprintf(" (did you mean %q?)", best)
	}
	return ""
}

// ofField says which field an error is about, where it does not begin with that itself.
func ofField(field string, err error) error {
	if strings.HasPrefix(err.Error(), field+" ") {
		return err
	}
	return fmt.Errorf("%s: %w", field, err)
}

func (r reader) user(n *yaml.Node) (User, error) {
	u := User{Line: r.line(n)}
	err := r.fields(n, func(key string, value *yaml.Node) (err error) {
		switch key {
		case "devices":
			u.Devices, err = r.devices(value)
			u.NoDevice = err == nil && len(u.Devices) == 0
		case "require":
			u.Require, err = r.dates(value, true)
		case "exempt":
			u.Exempt, err = r.dates(value, false)
		default:
			err = r.set(key, value, append([]string{"devices", "require", "exempt"}, userColumns...), u.set)
		}
		return err
	})
	if err == nil && u.Name == "" {
		err = errors.New("the entry has no user")
	}
	return u, err
}

func (r reader) group(n *yaml.Node) (Group, error) {
	g := Group{Line: r.line(n)}
	err := r.fields(n, func(key string, value *yaml.Node) (err error) {
		switch key {
		case "device":
			g.Device, err = r.device(value)
		case "require":
			g.Require, err = r.dates(value, true)
		case "exempt":
			g.Exempt, err = r.dates(value, false)
		default:
			err = r.set(key, value, []string{"group", "present", "device", "require", "exempt"}, g.set)
		}
		return err
	})
	if err == nil && g.Name == "" {
		err = errors.New("the entry has no group")
	}
	return g, err
}

func (g *Group) set(field, text string) (known bool, err error) {
	switch field {
	case "group":
		g.Name, err = name(text)
	case "present":
		g.Absent, err = absent(text)
	default:
		return false, nil
	}
	return true, err
}

func (r reader) devices(n *yaml.Node) ([]Device, error) {
	if n.Kind != yaml.SequenceNode || n.Anchor != "" || n.Style&yaml.TaggedStyle != 0 {
		return nil, r.wrong(n, "devices: want a list of devices")
	}
	var all []Device
	for _, entry := range n.Content {
		d, err := r.device(entry)
		if err != nil {
			return nil, err
		}
		all = append(all, *d)
	}
	return all, nil
}

func (r reader) device(n *yaml.Node) (*Device, error) {
	d := &Device{Line: r.line(n), Name: UsualDevice}
	fields := append([]string{"name", "present"}, deviceColumns[2:]...)
	err := r.fields(n, func(key string, value *yaml.Node) error {
		return r.set(key, value, fields, func(field, text string) (bool, error) { return d.set(field, text, r.options) })
	})
	return d, err
}

// dates reads {by, starts, until}; of an exemption only until.
func (r reader) dates(n *yaml.Node, require bool) (*Dates, error) {
	d := &Dates{}
	known := []string{"until"}
	if require {
		known = []string{"by", "starts", "until"}
	}
	err := r.fields(n, func(key string, value *yaml.Node) error {
		return r.set(key, value, known, func(field, text string) (known bool, err error) {
			switch {
			case field == "until":
				d.Until, err = day(text)
			case field == "by" && require:
				d.By, err = day(text)
			case field == "starts" && require:
				d.Starts, err = day(text)
			default:
				return false, nil
			}
			return true, err
		})
	})
	if err == nil {
		err = d.order()
	}
	if err != nil {
		return nil, &at{LineOf(err, r.line(n)), err}
	}
	return d, nil
}

// order refuses days in an order in which one of them does nothing. The policy refuses them too, but of all rows with the same days together.
func (d *Dates) order() error {
	switch { // days as text come in the order of the days
	case d.Until != "" && d.Until < d.Starts:
		return fmt.Errorf("this ends (until %s) before it starts (%s)", d.Until, d.Starts)
	case d.By != "" && d.By < d.Starts:
		return fmt.Errorf("by %s is over before this starts (%s)", d.By, d.Starts)
	case d.By != "" && d.Until != "" && d.Until <= d.By:
		return fmt.Errorf("this ends (until %s) before anybody must have a device (by %s)", d.Until, d.By)
	}
	return nil
}
