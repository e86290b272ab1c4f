package doctor

import (
	"net/netip"
	"path"
	"slices"
	"strings"

	"twokey/internal/pamconf"
	"twokey/internal/safefile"
)

const (
	maxConfigFile = 1 << 20 // bytes
	maxConfigs    = 256     // files
)

// setting is a line of sshd_config(5).
type setting struct {
	pamconf.Place
	keyword string // in lower case
	value   string
	match   string // the criteria of the Match block that it is in; "" for all
}

// sshdSettings are the lines of the server's configuration in the order in which it reads them. They only tell where a value comes from;
// what counts says sshd -T.
func (e *examination) sshdSettings() ([]setting, error) {
	r := &settingsReader{root: e.Root}
	err := r.read(sshdConfigFile, "")
	return r.found, err
}

type settingsReader struct {
	root  string
	files int
	found []setting
}

func (r *settingsReader) read(file, match string) error {
	if r.files++; r.files > maxConfigs {
		return nil
	}
	content, err := safefile.ReadImport(r.root+file, maxConfigFile)
	if err != nil {
		return err
	}
	number := 0
	for line := range strings.Lines(string(content.Content)) {
		number++
		keyword, value := keywordAndValue(line)
		switch keyword {
		case "":
		case "match":
			match = value
			r.found = append(r.found, setting{pamconf.Place{File: file, Number: number}, keyword, value, match})
		case "include":
			for _, pattern := range strings.Fields(value) {
				for _, name := range r.matching(pattern) {
					if err := r.read(name, match); err != nil {
						return err
					}
				}
			}
		default:
			r.found = append(r.found, setting{pamconf.Place{File: file, Number: number}, keyword, value, match})
		}
	}
	return nil
}

// keywordAndValue splits "Keyword value", "Keyword=value" and values in quotes.
func keywordAndValue(line string) (keyword, value string) {
	line = strings.TrimSpace(line)
	if line == "" || line[0] == '#' {
		return "", ""
	}
	end := strings.IndexAny(line, " \t=")
	if end < 0 {
		return strings.ToLower(line), ""
	}
	value = strings.TrimLeft(line[end:], " \t=")
	return strings.ToLower(line[:end]), strings.Trim(strings.TrimSpace(value), `"`)
}

// matching are the files of a pattern, sorted, as sshd takes them.
func (r *settingsReader) matching(pattern string) (names []string) {
	if !strings.HasPrefix(pattern, "/") {
		pattern = "/etc/ssh/" + pattern
	}
	if !strings.ContainsAny(pattern, "*?[") {
		return []string{pattern}
	}
	dir, err := safefile.OpenDir(r.root + path.Dir(pattern))
	if err != nil {
		return nil
	}
	defer dir.Close()
	all, err := dir.Names()
	if err != nil {
		return nil
	}
	slices.Sort(all)
	for _, name := range all {
		if ok, err := path.Match(path.Base(pattern), name); err == nil && ok {
			names = append(names, path.Dir(pattern)+"/"+name)
		}
	}
	return names
}

// set is the fix that gives a keyword another value: in the line that has the value that counts now, else at the top, where the first
// line counts.
func (e *examination) set(settings []setting, keyword, now, value string) string {
	key := strings.ToLower(keyword)
	for _, s := range settings {
		if s.keyword == key && (strings.EqualFold(s.value, now) || yesNo(s.value) == now) {
			return write(s.Place, keyword+" "+value)
		}
	}
	return before(pamconf.Place{File: sshdConfigFile, Number: 1}, keyword+" "+value)
}

// yesNo: sshd takes true and false too.
func yesNo(value string) string {
	switch strings.ToLower(value) {
	case "true", "yes":
		return "yes"
	case "false", "no":
		return "no"
	}
	return value
}

// matchAddresses are addresses for which a Match block may decide: the first of each network that one names.
func matchAddresses(settings []setting) (found []string) {
	for _, s := range settings {
		if s.keyword != "match" {
			continue
		}
		words := strings.Fields(strings.ReplaceAll(s.value, "=", " "))
		for i := 0; i+1 < len(words); i += 2 {
			if strings.EqualFold(words[i], "address") {
				for _, pattern := range strings.Split(words[i+1], ",") {
					found = append(found, addressIn(strings.TrimPrefix(pattern, "!")))
				}
			}
		}
	}
	return slices.DeleteFunc(found, func(a string) bool { return a == "" })
}

// addressIn is an address that matches: of a network one in it, of a pattern one with ones in the place of the stars.
func addressIn(pattern string) string {
	if prefix, err := netip.ParsePrefix(pattern); err == nil {
		first := prefix.Masked().Addr()
		if next := first.Next(); prefix.Contains(next) {
			return next.String()
		}
		return first.String()
	}
	if a, err := netip.ParseAddr(strings.NewReplacer("*", "1", "?", "1").Replace(pattern)); err == nil {
		return a.String()
	}
	return ""
}
