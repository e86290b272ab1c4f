package main

import (
	"html"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"twokey/policy"
)

// A user who has a sheet and one who enrols at a login are sent to the same apps.
func TestTheSheetNamesTheAppsThatALoginNames(t *testing.T) {
	root, _ := newRoot(t)
	file := filepath.Join(t.TempDir(), "nobody.html")
	succeed(t, root, "enroll", "nobody", "--sheet", file)
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c := &policy.Config{}
	login := c.Text(policy.MsgEnrollIPhone) + c.Text(policy.MsgEnrollAndroid) + c.Text(policy.MsgEnrollComputer)
	apps := regexp.MustCompile(`<b>([^<]+)</b> <small>\(([^<]+)\)</small>`).FindAllStringSubmatch(string(page), -1)
	if len(apps) < 4 {
		t.Errorf("only the apps %v", apps)
	}
	for _, app := range apps {
		for _, name := range app[1:] {
			if !strings.Contains(login, html.UnescapeString(name)) {
				t.Errorf("%q is not what a login names", name)
			}
		}
	}
}
