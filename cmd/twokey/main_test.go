package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// noRaceSleep keeps a program that was built with -race from sleeping a second at its end.
const noRaceSleep = "atexit_sleep_ms=0"

// The test binary is also the program that tests call.
func TestMain(m *testing.M) {
	if err := os.Setenv("GORACE", noRaceSleep); err != nil {
		panic(err)
	}
	testscript.Main(m, map[string]func(){"twokey": main})
}

// inParallelInside are the scripts whose commands work on all processors: with -race they are watched at it.
var inParallelInside = []string{"apply", "list", "status"}

// shippedFirst has a test that runs many commands, none of which works on all processors, find twokey as it is shipped, as setPath does.
func shippedFirst(t *testing.T) {
	t.Helper()
	shipped, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", shipped.dir+":"+os.Getenv("PATH"))
}

// setPath has the script find exits, and twokey as it is shipped: with -race the test binary takes four times the processor time to start.
func setPath(env *testscript.Env) error {
	shipped, err := programs()
	if err != nil {
		return err
	}
	path := []string{shipped.dir, env.Getenv("PATH")}
	if slices.Contains(inParallelInside, strings.TrimPrefix(filepath.Base(env.WorkDir), "script-")) {
		slices.Reverse(path)
	}
	env.Setenv("PATH", strings.Join(path, ":"))
	return nil
}

// TestScripts runs testdata/*.txtar, one for each command. Each has a host of its own: a configuration, etc/twokey.yaml, whose
// paths lie in the script's folder. $H stands for the --config that names it. "exec exits 3 twokey …" demands an exit status.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               scratchHost,
	})
}

// scratchHost writes the configuration, unless the script has brought one, and sets what the scripts use.
func scratchHost(env *testscript.Env) error {
	config := filepath.Join(env.WorkDir, "etc", "twokey.yaml")
	env.Setenv("H", "--config="+config)
	env.Setenv("TZ", "UTC")
	env.Setenv("GORACE", noRaceSleep)
	if err := setPath(env); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(config), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(config, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "version: 1\n\n# where things lie\npaths:\n  data: %[1]s/data\n  audit: %[1]s/log/audit.jsonl\n"+
		"  key: %[1]s/etc/host.key\n  credentials: %[1]s/etc/credentials\n", env.WorkDir)
	return errors.Join(err, f.Close())
}
