// Package proc tells processes apart. A process is its number and the time of its start: numbers are used again, so the number
// alone could mean a stranger.
package proc

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"sync"
)

// ID names one process for as long as the machine runs.
type ID struct {
	PID   int32
	Start uint64 // clock ticks since boot, /proc/PID/stat field 22 (proc(5))
}

// Self identifies the calling process, for which it looks once: neither part of it changes.
func Self() (ID, error) { return self() }

var self = sync.OnceValues(func() (ID, error) { return Of(os.Getpid()) })

// Of identifies the process that has this number now. It fails when there is none.
func Of(pid int) (ID, error) {
	id, _, err := stat(pid)
	return id, err
}

// Running reports whether a process is still there and not a zombie, which has ended and waits for its parent to hear of it.
func Running(id ID) bool {
	b, err := read("/proc/" + strconv.Itoa(int(id.PID)) + "/stat")
	if err != nil {
		return false
	}
	now, _, err := parseStat(int(id.PID), b)
	if err != nil || now != id {
		return false
	}
	state := bytes.TrimSpace(b[bytes.LastIndexByte(b, ')')+1:])[0]
	return state != 'Z' && state != 'X'
}

// Parent identifies the parent of a process that is running.
func Parent(pid int) (ID, error) {
	_, parent, err := stat(pid)
	if err != nil {
		return ID{}, err
	}
	return Of(parent)
}

// WithParent is Of and, where the parent can be seen, Parent; else that is the zero ID.
func WithParent(pid int) (id, parent ID, err error) {
	id, number, err := stat(pid)
	if err != nil {
		return ID{}, ID{}, err
	}
	parent, err = Of(number)
	if err != nil {
		parent = ID{} // of a process in a container of its own
	}
	return id, parent, nil
}

func stat(pid int) (id ID, parent int, err error) {
	b, err := read("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return ID{}, 0, err
	}
	return parseStat(pid, b)
}

// parseStat reads /proc/PID/stat. The command's name stands in parentheses and may contain anything, also ") ", so the fields
// are counted from the last parenthesis.
func parseStat(pid int, b []byte) (id ID, parent int, err error) {
	const parentField, startField = 1, 19 // counted from the state, which is field 3 of proc(5)
	end := bytes.LastIndexByte(b, ')')
	fields := bytes.Fields(b[end+1:])
	if end < 0 || len(fields) <= startField {
		return ID{}, 0, fmt.Errorf("proc: /proc/%d/stat is not as proc(5) says", pid)
	}
	start, err := strconv.ParseUint(string(fields[startField]), 10, 64)
	if err != nil {
		return ID{}, 0, fmt.Errorf("proc: start time of process %d: %w", pid, err)
	}
	parent, err = strconv.Atoi(string(fields[parentField]))
	if err != nil {
		return ID{}, 0, fmt.Errorf("proc: parent of process %d: %w", pid, err)
	}
	return ID{int32(pid), start}, parent, nil
}
