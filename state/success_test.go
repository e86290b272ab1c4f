package state

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"twokey/internal/proc"
)

var (
	daemon  = proc.ID{PID: 700, Start: 900}
	monitor = proc.ID{PID: 1000, Start: 5000}
	child   = proc.ID{PID: 1001, Start: 5001}
)

func success(process, parent proc.ID, service string, at time.Time) Success {
	return Success{Process: process, Parent: parent, Service: service, Method: "totp", Device: "phone", Source: home, Time: at}
}

func TestASuccessBelongsToTheProcessThatOpensTheSession(t *testing.T) {
	long := strings.Repeat("service-", 10)
	for sentence, c := range map[string]struct {
		left    Success
		session proc.ID
		service string
		want    bool
	}{
		"its own":                           {success(monitor, daemon, "login", noon), monitor, "login", true},
		"its child's":                       {success(child, monitor, "sshd", noon), monitor, "sshd", true},
		"of another service":                {success(monitor, daemon, "login", noon), monitor, "sshd", false},
		"of another process":                {success(child, monitor, "sshd", noon), proc.ID{PID: 1002, Start: 5002}, "sshd", false},
		"of a process that had the number":  {success(child, monitor, "sshd", noon), proc.ID{PID: 1001, Start: 6000}, "sshd", false},
		"of the parent that had the number": {success(child, monitor, "sshd", noon), proc.ID{PID: 1000, Start: 6000}, "sshd", false},
		"its parent's":                      {success(monitor, daemon, "sshd", noon), child, "sshd", false},
		"of a service with a long name":     {success(monitor, daemon, long, noon), monitor, long, true},
		"of another with a long name":       {success(monitor, daemon, long+"a", noon), monitor, long + "b", false},
		"none":                              {Success{}, monitor, "sshd", false},
	} {
		s := newBench(t).State
		s.AddSuccess(c.left, noon)
		found, ok := s.TakeSuccess(c.session, c.service)
		if ok != c.want {
			t.Errorf("%s: %v, want %v", sentence, ok, c.want)
		}
		if ok && (found.Process != c.left.Process || found.Method != "totp" || found.Device != "phone" || found.Source != home || !found.Time.Equal(noon)) {
			t.Errorf("%s: came back as %+v", sentence, found)
		}
	}
}

func TestASuccessOpensOneSession(t *testing.T) {
	s := newBench(t).State
	s.AddSuccess(success(child, monitor, "sshd", noon), noon)
	if _, ok := s.TakeSuccess(monitor, "sshd"); !ok {
		t.Fatal("the first session was refused")
	}
	for _, process := range []proc.ID{monitor, child} {
		if _, ok := s.TakeSuccess(process, "sshd"); ok {
			t.Errorf("a second session was opened, by %v", process)
		}
	}
}

func TestASessionTakesItsLatestSuccessAndLeavesTheOthers(t *testing.T) {
	s := newBench(t).State
	for i := range 3 {
		s.AddSuccess(success(proc.ID{PID: int32(2000 + i), Start: 1}, monitor, "sshd", noon.Add(time.Duration(i))), noon)
	}
	found, ok := s.TakeSuccess(monitor, "sshd")
	if !ok || found.Process.PID != 2002 {
		t.Errorf("got %+v, %v", found, ok)
	}
	for _, pid := range []int32{2000, 2001} {
		if _, ok := s.TakeSuccess(proc.ID{PID: pid, Start: 1}, "sshd"); !ok {
			t.Errorf("the success of %d is gone", pid)
		}
	}
}

func TestSuccessesThatWait(t *testing.T) {
	other := proc.ID{PID: 3000, Start: 1}
	for sentence, c := range map[string]struct {
		story func(s *State)
		want  bool // whether the success of child is still there
	}{
		"another login leaves it": {func(s *State) { s.AddSuccess(success(other, daemon, "login", noon), noon) }, true},
		"another login a day later takes it away": {func(s *State) {
			s.AddSuccess(success(other, daemon, "login", noon.Add(day)), noon.Add(day))
		}, false},
		"another login just before leaves it": {func(s *State) {
			s.AddSuccess(success(other, daemon, "login", noon.Add(day-1)), noon.Add(day-1))
		}, true},
		"another login that looked at the clock before, and got the lock after, leaves it": {func(s *State) {
			s.AddSuccess(success(other, daemon, "login", noon.Add(-time.Second)), noon.Add(-time.Second))
		}, true},
		"five other logins leave it": {func(s *State) {
			for i := range 5 {
				s.AddSuccess(success(proc.ID{PID: int32(3000 + i), Start: 1}, daemon, "sudo", noon), noon)
			}
		}, true},
		"six other logins push it out": {func(s *State) {
			for i := range 6 {
				s.AddSuccess(success(proc.ID{PID: int32(3000 + i), Start: 1}, daemon, "sudo", noon), noon)
			}
		}, false},
		"a program that asks a hundred times in one process does not push it out": {func(s *State) {
			for range 100 {
				s.AddSuccess(success(other, daemon, "screensaver", noon), noon)
			}
		}, true},
		"the same process again takes its place": {func(s *State) {
			s.AddSuccess(success(child, monitor, "sshd", noon), noon)
			s.TakeSuccess(monitor, "sshd")
		}, false},
	} {
		s := newBench(t).State
		s.AddSuccess(success(child, monitor, "sshd", noon), noon)
		c.story(s)
		value, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if s, err = Decode(value); err != nil {
			t.Fatal(err)
		}
		if _, ok := s.TakeSuccess(monitor, "sshd"); ok != c.want {
			t.Errorf("%s: there %v, want %v", sentence, ok, c.want)
		}
	}
}

// Attack: log in with the phone that somebody has lost, and open the session when it was taken away from him.
func TestWhatEndsASuccess(t *testing.T) {
	for sentence, c := range map[string]struct {
		end  func(s *State)
		ends bool
	}{
		"a device is removed":            {func(s *State) { s.RemoveDevice(s.Devices[0].ID) }, true},
		"sources are forgotten":          {(*State).ForgetSources, true},
		"attempts are given back":        {(*State).Unlock, false},
		"somebody succeeds elsewhere":    {func(s *State) { s.Succeeded(Attempt{away, ID{7}, One, noon}) }, false},
		"the clock is seen further back": {func(s *State) { s.ClockBack(noon.Add(-time.Hour)) }, false},
	} {
		s := example()
		s.AddSuccess(success(child, monitor, "sshd", noon), noon)
		c.end(s)
		s = reread(t, s)
		found, ok := s.TakeSuccess(monitor, "sshd")
		if !ok || !found.Time.Equal(noon) || (found.Method == Ended) != c.ends || (found.Device == "") != c.ends {
			t.Errorf("%s: %+v, %v", sentence, found, ok)
		}
	}
}

func TestARemovedDeviceStaysRefused(t *testing.T) {
	s := example()
	phone := s.Devices[0].ID
	s.RemoveDevice(phone)
	s.RemoveDevice(phone)
	if s.Device(phone) != nil || !s.WasRemoved(phone) || len(s.Removed) != 1 {
		t.Errorf("after it was removed twice: %+v, %v", s.Devices, s.Removed)
	}
	for i := range MaxRemoved {
		s.RemoveDevice(ID{byte(i), 1})
		if want := i < MaxRemoved-1; s.WasRemoved(phone) != want {
			t.Errorf("after %d others it is refused: %v", i+1, s.WasRemoved(phone))
		}
	}
	if _, err := s.Encode(); err != nil || len(s.Removed) != MaxRemoved {
		t.Errorf("%d removed ids: %v", len(s.Removed), err)
	}
}

func TestRemovingOneDeviceLeavesTheOthers(t *testing.T) {
	s := &State{User: "alice"}
	for i := range 3 {
		s.Devices = append(s.Devices, Device{ID: ID{byte(i)}, Name: fmt.Sprint("device", i), Consumed: uint64(i)})
	}
	before := s.Devices
	s.RemoveDevice(ID{1})
	if len(s.Devices) != 2 || s.Devices[0].Name != "device0" || s.Devices[1].Name != "device2" || before[1].Name != "device1" {
		t.Errorf("left are %+v; what was read before is %+v", s.Devices, before)
	}
	if d := s.Device(ID{2}); d == nil || d.Consumed != 2 {
		t.Errorf("device 2 is %+v", d)
	}
}

func TestRecoveryCodesThatAreLeft(t *testing.T) {
	for _, c := range []struct {
		total int
		used  uint32
		want  int
	}{{0, 0, 0}, {10, 0, 10}, {10, 1, 9}, {10, 1<<10 - 1, 0}, {10, 1 << 31, 10}, {32, 1 << 31, 31}, {32, 1<<32 - 1, 0}} {
		if got := (Recovery{Total: c.total, Used: c.used}).Left(); got != c.want {
			t.Errorf("%d codes, used %b: %d left, want %d", c.total, c.used, got, c.want)
		}
	}
}
