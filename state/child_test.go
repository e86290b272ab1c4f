package state

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// Several tests need other processes: to race with, to kill, to take the disk space away from. They start the test binary again,
// which then plays the part that childVariable names, on the data folder of dataVariable.
const (
	childVariable = "STATE_TEST_CHILD"
	dataVariable  = "STATE_TEST_DATA"
)

func TestMain(m *testing.M) {
	part := os.Getenv(childVariable)
	if part == "" {
		os.Exit(m.Run())
	}
	parts := map[string]func(data string) error{
		"race":      childRace,
		"climb":     childClimb,
		"die":       childDie,
		"limit":     childLimit,
		"limited":   childLimited,
		"late":      childLate,
		"one login": childOneLogin,
		"full disk": childFullDisk,
		"texts":     childTexts,
	}
	if err := parts[part](os.Getenv(dataVariable)); err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// childCommand starts the test binary again. Each part ends by itself when the test does: at the end of its input, when nobody reads
// what it says, or when its work is done.
func childCommand(t testing.TB, part, data string, before ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	argv := append(before, self)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), childVariable+"="+part, dataVariable+"="+data)
	cmd.Stderr = os.Stderr
	return cmd
}

// childRace consumes each step that it reads, or finds it consumed.
func childRace(data string) error {
	store, err := Open(data)
	if err != nil {
		return err
	}
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		step, err := strconv.ParseUint(in.Text(), 10, 64)
		if err != nil {
			return err
		}
		answer := "won"
		err = store.Update("alice", func(tx *Tx) error {
			if tx.Devices[0].Consumed >= step {
				answer = "lost"
				return nil
			}
			tx.Devices[0].Consumed = step
			return nil
		})
		if err != nil {
			return err
		}
		fmt.Println(answer)
	}
	return in.Err()
}

// childClimb consumes step after step, and says each after Update has returned.
func childClimb(data string) error {
	store, err := Open(data)
	if err != nil {
		return err
	}
	for {
		var step uint64
		err := store.Update("alice", func(tx *Tx) error {
			tx.Charge(Attempt{away, ID{1}, One, noon})
			if err := tx.Flush(); err != nil {
				return err
			}
			tx.Devices[0].Consumed++
			step = tx.Devices[0].Consumed
			return nil
		})
		if err != nil {
			return err
		}
		fmt.Println(step)
	}
}

// childDie charges an attempt and is killed while it looks at the code.
func childDie(data string) error {
	store, err := Open(data)
	if err != nil {
		return err
	}
	return store.Update("alice", func(tx *Tx) error {
		if !tx.Charge(Attempt{away, ID{1}, One, noon}) {
			return errors.New("refused")
		}
		if err := tx.Flush(); err != nil {
			return err
		}
		return unix.Kill(os.Getpid(), unix.SIGKILL)
	})
}

// limitWriting is ulimit -f. The hard limit stays, so that the limit can be lifted again.
func limitWriting(bytes uint64) error {
	signal.Ignore(unix.SIGXFSZ)
	return unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: bytes, Max: unix.RLIM_INFINITY})
}

// childLimit is not allowed to write any more when it has the lock; it does not care and looks at the code nevertheless.
func childLimit(data string) error {
	store, err := Open(data)
	if err != nil {
		return err
	}
	err = store.Update("alice", func(tx *Tx) error {
		if err := limitWriting(0); err != nil {
			return err
		}
		tx.Charge(Attempt{away, ID{1}, One, noon})
		if tx.Flush() == nil {
			fmt.Println("looked at an answer that was not charged")
		}
		// That the next write succeeds must not make up for the one that failed.
		if err := limitWriting(unix.RLIM_INFINITY); err != nil {
			return err
		}
		tx.Devices[0].Consumed++
		return nil
	})
	if errors.Is(err, unix.EFBIG) {
		fmt.Println("refused")
		return nil
	}
	return fmt.Errorf("got %v, want EFBIG", err)
}

// childLimited runs with ulimit -f 0 from the beginning.
func childLimited(data string) error {
	store, err := Open(data)
	if err != nil {
		return err
	}
	if err := limitWriting(0); err != nil {
		return err
	}
	err = store.Update("alice", func(*Tx) error {
		fmt.Println("looked")
		return nil
	})
	if errors.Is(err, unix.EFBIG) {
		fmt.Println("refused")
		return nil
	}
	return fmt.Errorf("got %v, want EFBIG", err)
}

// childLate may not write any more when it has looked at the code.
func childLate(data string) error {
	store, err := Open(data)
	if err != nil {
		return err
	}
	err = store.Update("alice", func(tx *Tx) error {
		tx.Charge(Attempt{away, ID{1}, One, noon})
		if err := tx.Flush(); err != nil {
			return err
		}
		tx.Devices[0].Consumed++
		return limitWriting(0)
	})
	if errors.Is(err, unix.EFBIG) {
		fmt.Println("refused")
		return nil
	}
	return fmt.Errorf("got %v, want EFBIG", err)
}

// childOneLogin charges, says when it looks at the code, uses it up, and says when it lets somebody in.
func childOneLogin(data string) error {
	store, err := Open(data)
	if err != nil {
		return err
	}
	err = store.Update("alice", func(tx *Tx) error {
		tx.Charge(Attempt{away, ID{1}, One, noon})
		if err := tx.Flush(); err != nil {
			return err
		}
		fmt.Println("look")
		tx.Devices[0].Consumed++
		return nil
	})
	if err == nil {
		fmt.Println("in")
	}
	return err
}
