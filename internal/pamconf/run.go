package pamconf

// impression is what a stack looks like so far.
type impression int8

const (
	none impression = iota
	positive
	negative
)

// soFar is what a stack has come to.
type soFar struct {
	impression impression
	status     Result
}

// position is where a walk through a stack stands: the whole state of libpam's own walk (_pam_dispatch_aux), so that two walks at one
// position end in the same ways.
type position struct {
	at      int // the next line
	level   int // of the line before
	now     soFar
	entered [maxDepth + 1]soFar // when the substack of each level was entered, for the action reset
}

func start() position {
	p := position{now: soFar{none, mustFail}}
	p.entered[0] = p.now
	return p
}

// after is the position when the line has had this result.
func (s Stack) after(p position, result Result) position {
	line := s[p.at]
	if p.level < line.Level {
		p.entered[line.Level] = p.now
	}
	p.level = line.Level
	last := p.at
	switch line.Kind {
	case Substack:
		p.at++
		return p
	case Failing:
		result = mustFail
	}
	action := Bad
	if result < results {
		action = line.Control[result]
	} else {
		result = mustFail
	}
	switch action {
	case DoNothing:
	case Reset:
		p.now = p.entered[line.Level]
	case OK, Done:
		if p.now.open() {
			p.now = soFar{positive, result}
		}
		if action == Done && p.now.impression == positive {
			last = s.end(last)
		}
	case Bad, Die:
		p.now = p.now.bad(result)
		if action == Die {
			last = s.end(last)
		}
	default:
		if last, action = s.jump(last, action); action > 0 { // further than the stack goes
			p.now = soFar{negative, mustFail}
		}
	}
	p.at = last + 1
	return p
}

// open reports whether a success still counts.
func (f soFar) open() bool {
	return f.impression == none || f.impression == positive && f.status == Success
}

// bad: the first bad result is that of the stack, and PAM_IGNORE is none that an application could understand.
func (f soFar) bad(result Result) soFar {
	if f.impression == negative {
		return f
	}
	if result == Ignore {
		result = mustFail
	}
	return soFar{negative, result}
}

// end is the last line of the substack that a line is in; of the whole stack for one that is in none.
func (s Stack) end(at int) int {
	level := s[at].Level
	for at+1 < len(s) && s[at+1].Level >= level {
		at++
	}
	return at
}

// jump goes over lines, each with the substack below it, and returns how many are left to jump over at the end of this one.
func (s Stack) jump(at int, over Action) (last int, left Action) {
	level := s[at].Level
	for over > 0 && at+1 < len(s) && s[at+1].Level >= level {
		at++
		for at+1 < len(s) && s[at+1].Level > level {
			at++
		}
		over--
	}
	return at, over
}

// result is what the stack returns at its end.
func (s Stack) result(p position) Result {
	if p.now.status == Success && p.now.impression != positive {
		return mustFail
	}
	return p.now.status
}

// Run walks the stack with what each module returns, and tells which lines were reached. Lines that fail by themselves are not asked.
func (s Stack) Run(returns func(line Line) Result) (result Result, reached []int) {
	p := start()
	for p.at < len(s) {
		result := mustFail
		if s[p.at].Kind == Module {
			result = returns(s[p.at])
		}
		reached = append(reached, p.at)
		p = s.after(p, result)
	}
	return s.result(p), reached
}
