package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// noRaceSleep keeps a program that was built with -race from sleeping a second at its end.
const noRaceSleep = "atexit_sleep_ms=0"

// The test binary is also the programs that the scripts call.
func TestMain(m *testing.M) {
	if err := os.Setenv("GORACE", noRaceSleep); err != nil {
		panic(err)
	}
	testscript.Main(m, map[string]func(){"twokey": main, "exits": exits})
}

// exits runs "exits STATUS PROGRAM ARGUMENT…" and succeeds if the program ends with that status.
func exits() {
	want, err := strconv.Atoi(os.Args[1])
	if err != nil {
		panic(err)
	}
	cmd := exec.Command(os.Args[2], os.Args[3:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		panic(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != want {
		fmt.Fprintf(os.Stderr, "[exit status %d, want %d]\n", got, want)
		os.Exit(1)
	}
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
