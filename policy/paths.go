package policy

import (
	"strings"

	"gopkg.in/yaml.v3"
)

// pathFields are the keys of paths. A value that is wrong leaves the target as it is.
func (d *decoder) pathFields(p *Paths) []field {
	into := func(key string, target *string) field {
		return field{key, func(n *yaml.Node) {
			if s := d.text(n, checkPath); s != "" {
				*target = s
			}
		}}
	}
	return []field{into("data", &p.Data), into("audit", &p.Audit), into("key", &p.Key), into("credentials", &p.Credentials)}
}

// distinctPaths refuses one path for two things: the audit log appended to the
// host key would destroy it.
func (d *decoder) distinctPaths(n *yaml.Node) {
	seen := map[string]bool{}
	for _, p := range d.cfg.Paths.all() {
		if seen[p] {
			d.fail(n, "%q stands for two different things", p)
		}
		seen[p] = true
	}
}

func (p Paths) all() []string { return []string{p.Data, p.Audit, p.Key, p.Credentials} }

// PathsIn finds the paths of a configuration that may be broken elsewhere, so that
// the last good policy, which lies under one of them, can be found and stay in
// force. It cuts out the lines of the key paths at the left margin and reads them
// alone. A path that cannot be read there is the default one.
func PathsIn(src []byte) Paths {
	if len(src) == 0 { // twice at every login
		return defaultPaths()
	}
	if c, err := Parse(src); err == nil {
		return c.Paths
	}
	if len(src) > MaxSource {
		return defaultPaths()
	}
	top, err := readTree([]byte(pathLines(string(src))))
	if err != nil || top.Kind != yaml.MappingNode || repeatedKey(top) {
		return defaultPaths()
	}
	block := valueOf(top, "paths")
	if block == nil || block.Kind != yaml.MappingNode || repeatedKey(block) {
		return defaultPaths()
	}
	found := decoder{cfg: defaults()}
	for i := 0; i+1 < len(block.Content); i += 2 {
		one := decoder{}
		one.mapping(&yaml.Node{Kind: yaml.MappingNode, Content: block.Content[i : i+2]}, one.pathFields(&found.cfg.Paths))
	}
	if found.distinctPaths(block); found.err != nil {
		return defaultPaths()
	}
	return found.cfg.Paths
}

// repeatedKey reports whether a key of the mapping stands twice: which one is
// meant cannot be known.
func repeatedKey(mapping *yaml.Node) bool {
	seen := map[string]bool{}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		key := mapping.Content[i].Value
		if seen[key] {
			return true
		}
		seen[key] = true
	}
	return false
}

// pathLines cuts out the key paths: its line and all that are indented, blank,
// comments or the end of braces. If the key stands twice both are cut out.
func pathLines(src string) string {
	var cut strings.Builder
	inside := false
	for line := range strings.Lines(src) {
		if strings.HasPrefix(line, "paths:") {
			inside = true
		} else if !strings.ContainsAny(line[:1], " \t\n#}") {
			inside = false
		}
		if inside {
			cut.WriteString(line)
		}
	}
	return cut.String()
}
