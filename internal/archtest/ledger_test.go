package archtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var (
	ledgerRow  = regexp.MustCompile(`^\| (\d+) \|`)
	testName   = regexp.MustCompile("`(Test[A-Za-z0-9_]+)`")
	testInCode = regexp.MustCompile(`(?m)^func (Test[A-Za-z0-9_]+)\(t \*testing\.T\)`)
)

// docs/failures.md promises a test for each failure of the field. A test that was renamed or removed must not leave a promise.
func TestEveryFailureOfTheFieldHasItsTest(t *testing.T) {
	root := filepath.Join("..", "..")
	tests := map[string]bool{}
	files, err := exec.Command("git", "-C", root, "ls-files", "-co", "--exclude-standard", "--", "*_test.go").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range strings.Fields(string(files)) {
		source, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			continue // listed and removed
		}
		for _, m := range testInCode.FindAllStringSubmatch(string(source), -1) {
			tests[m[1]] = true
		}
	}
	ledger, err := os.ReadFile(filepath.Join(root, "docs", "failures.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for line := range strings.Lines(string(ledger)) {
		row := ledgerRow.FindStringSubmatch(line)
		if row == nil {
			continue
		}
		rows++
		if row[1] != strconv.Itoa(rows) {
			t.Errorf("row %s stands where row %d should", row[1], rows)
		}
		named := testName.FindAllStringSubmatch(line, -1)
		if len(named) == 0 && !strings.Contains(line, "not there yet") {
			t.Errorf("row %s names no test, and does not say that the thing is not there yet", row[1])
		}
		for _, name := range named {
			if !tests[name[1]] {
				t.Errorf("row %s: there is no %s", row[1], name[1])
			}
		}
	}
	if rows != 63 {
		t.Errorf("%d rows, want 63", rows)
	}
}
