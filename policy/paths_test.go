package policy

import "testing"

func TestPathsIn(t *testing.T) {
	moved := defaultPaths()
	moved.Data = "/srv/2fa"
	all := Paths{Data: "/srv/2fa", Audit: "/srv/a.jsonl", Key: "/srv/k", Credentials: "/srv/c"}
	block := "paths:\n  data: /srv/2fa # moved\n  # the log\n\n  audit: /srv/a.jsonl\n  key: /srv/k\n  credentials: /srv/c\n"
	tests := []struct {
		sentence, src string
		want          Paths
	}{
		{"nothing", "", defaultPaths()},
		{"a good configuration without paths", "version: 1\n", defaultPaths()},
		{"a good configuration", "version: 1\n" + block, all},
		{"a good configuration that is indented", "  version: 1\n  paths: {data: /srv/2fa}\n", moved},
		{"a good configuration in JSON", `{"version": 1, "paths": {"data": "/srv/2fa"}}`, moved},
		{"braces that end at the margin", "version: 1\npaths: {\n  data: /srv/2fa\n}\nfoo: 1\n", moved},
		{"an unknown key before", "version: 1\nfoo: 1\n" + block, all},
		{"a list before that is not closed", "require: [\n" + block, all},
		{"an unknown key behind", block + "foo: 1\n", all},
		{"rubbish behind", block + "@@ [ { \n\x01", all},
		{"no version", "paths: {data: /srv/2fa}\n", moved},
		{"another version", "version: 9\npaths: {data: /srv/2fa}\n", moved},
		{"paths in a comment", "foo: 1\n# paths: {data: /srv/2fa}\n", defaultPaths()},
		{"paths in a text", "contact: |\n  paths: {data: /srv/2fa}\nfoo: 1\n", defaultPaths()},
		{"paths below another key", "foo:\n  paths: {data: /srv/2fa}\n", defaultPaths()},
		{"one path wrong, the others right", "paths: {data: /srv/2fa, audit: relative, key: 7, log: /x}\n", moved},
		{"one path twice", "paths: {data: /srv/2fa, data: /srv/other}\n", defaultPaths()},
		{"paths twice", "paths: {data: /srv/2fa}\nfoo: 1\npaths: {data: /srv/other}\n", defaultPaths()},
		{"one path for two things", "paths: {data: /srv/2fa, key: /srv/2fa}\n", defaultPaths()},
		{"paths that are a list", "paths: [/srv/2fa]\n", defaultPaths()},
		{"paths that are nothing", "paths:\nfoo: 1\n", defaultPaths()},
		{"paths that are themselves no YAML", "paths: {data: [/srv/2fa}\n", defaultPaths()},
		{"paths by an alias", "x: &p /srv/2fa\npaths: {data: *p}\n", defaultPaths()},
		{"a file above the cap", block + string(make([]byte, MaxSource)), defaultPaths()},
	}
	for _, test := range tests {
		t.Run(test.sentence, func(t *testing.T) {
			if got := PathsIn([]byte(test.src)); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}
