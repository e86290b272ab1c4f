package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
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
	return strings.TrimSpace(line), nil
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
	fmt.Fprintf(&text, "- built with %s\n", runtime.Version())
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

const how = `Each line is from one run in which the contenders alternate, one login of each; the figures are medians, with the lower and the upper quartile
in brackets. A login is pam_start to pam_end in a process of its own, with the real libpam, the same conversation, and counter codes; each module
syncs what it syncs by itself. A few accounts log in; of many enrolled users the others have no account, since libc reads /etc/passwd from
its beginning whatever the module does.
`

// write prints the report, and writes it to a file. What is said in bench/missed.md of aims that were missed stands behind it.
func (b *bench) write(facts, output string) error {
	var text bytes.Buffer
	text.WriteString("# Figures\n\nWritten by `make bench`.\n\n" + facts + "\n" + how + "\n")
	if err := writeTable(&text, b.rows); err != nil {
		return err
	}
	text.WriteString("\n")
	for _, note := range b.notes {
		text.WriteString("- " + note + "\n")
	}
	reasons, err := os.ReadFile(filepath.Join(b.Top, "bench", "missed.md"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if len(reasons) > 0 {
		fmt.Fprintf(&text, "\n%s", reasons)
	}
	if _, err := io.Copy(os.Stdout, bytes.NewReader(text.Bytes())); err != nil || output == "" {
		return err
	}
	return os.WriteFile(output, text.Bytes(), 0o644)
}
