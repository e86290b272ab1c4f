package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// said is the first line that a command prints.
func said(name string, args ...string) (string, error) {
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.Join(strings.Fields(line), " "), nil
}

// facts are what the figures depend on.
func facts(small bool, below, top string) (string, error) {
	var text strings.Builder
	if small {
		text.WriteString("**A quick run: few of everything. These figures mean little.**\n\n")
	}
	fmt.Fprintf(&text, "- %s, %d processors: %s; a load of %s when it began\n", time.Now().UTC().Format("2006-01-02 15:04 UTC"), runtime.NumCPU(),
		processor(), load())
	for _, fact := range []struct {
		what    string
		command []string
	}{
		{"Linux", []string{"uname", "-r"}},
		{"file system", []string{"findmnt", "-n", "-o", "FSTYPE,OPTIONS", "-T", below}},
		{"libpam", []string{"dpkg-query", "-W", "-f", "${Version}", "libpam0g"}},
		{"libpam-google-authenticator", []string{"dpkg-query", "-W", "-f", "${Version}", "libpam-google-authenticator"}},
		{"libpam-oath", []string{"dpkg-query", "-W", "-f", "${Version}", "libpam-oath"}},
		{"program", []string{filepath.Join(top, "build", "twokey"), "--version"}},
	} {
		line, err := said(fact.command[0], fact.command[1:]...)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&text, "- %s %s\n", fact.what, line)
	}
	return text.String(), nil
}

// processor is what the kernel calls it.
func processor() string {
	content, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(content)) {
		if name, found := strings.CutPrefix(line, "model name\t: "); found {
			return strings.TrimSpace(name)
		}
	}
	return runtime.GOARCH
}

// load is the kernel's, of the last minute.
func load() string {
	content, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "?"
	}
	before, _, _ := strings.Cut(string(content), " ")
	return before
}

const how = `Each line is from one run in which the contenders take turns, one login of each; the figures are medians, with the lower and the upper
quartile in brackets. A login is pam_start to pam_end in a process of its own, with the real libpam, the same conversation, and counter codes.
Before it is measured, each module has let in with a right code, and refused the same again and a wrong one. A few accounts log in; of many
enrolled users the others have no account, since libc reads /etc/passwd from its beginning whatever the module does. A refused code is compared
without the delay that libpam adds and without that of the helper, which rounds the time of every refusal up so that it tells nothing.

`

// write prints the report, and writes it to a file. What is said in bench/missed.md of aims that were missed stands behind it.
func (b *bench) write(facts, output string) error {
	reasons, err := os.ReadFile(filepath.Join(b.Top, "bench", "missed.md"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	text, err := b.report(facts, string(reasons))
	if err != nil {
		return err
	}
	if _, err := os.Stdout.Write(text); err != nil || output == "" {
		return err
	}
	return os.WriteFile(output, text, 0o644)
}

// report is all of it, in Markdown.
func (b *bench) report(facts, reasons string) ([]byte, error) {
	var text bytes.Buffer
	text.WriteString("# Figures\n\nWritten by `make bench`.\n\n" + facts + "\n" + how)
	for _, part := range []struct {
		head  string
		lines [][]string
	}{
		{"", judged(b.rows)},
		{"\nWithout an aim:\n\n", others(b.rows)},
		{"\nEach module makes durable what it does by itself. What it synchronises at a login:\n\n", append([][]string{{"module", "calls"}}, b.kept...)},
	} {
		text.WriteString(part.head)
		if err := writeTable(&text, part.lines); err != nil {
			return nil, err
		}
	}
	if reasons != "" {
		text.WriteString("\n" + reasons)
	}
	return text.Bytes(), nil
}
