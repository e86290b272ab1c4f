package pamconf

// Marks are what has happened on a way through a stack, one bit each, as the caller has named them.
type Marks uint32

// Option is a result that a module may have, and what it means.
type Option struct {
	Result Result
	Mark   Marks
}

// Step is a line that was reached and its result.
type Step struct {
	Line   int // index into the stack
	Result Result
}

// Outcome is one way in which a stack can end.
type Outcome struct {
	Result Result
	Marks  Marks
	Steps  []Step // that lead there; one of perhaps many
}

// maxPositions ends a search that no real stack needs.
const maxPositions = 1 << 17

// way is a position and how it was come to.
type way struct {
	position
	marks  Marks
	step   Step
	before *way
}

// Outcomes finds every result of the stack, with all marks that it can come with, when each module may return what options says;
// marks are those of the way until there. It is not complete when the stack is too large to search; then nothing may be concluded
// from what is missing.
func (s Stack) Outcomes(options func(line Line, marks Marks) []Option) (found []Outcome, complete bool) {
	type key struct {
		position
		marks Marks
	}
	type end struct {
		result Result
		marks  Marks
	}
	seen, ends := map[key]bool{}, map[end]bool{}
	queue := []*way{{position: start()}}
	for len(queue) > 0 {
		w := queue[0]
		queue = queue[1:]
		if w.at >= len(s) {
			if e := (end{s.result(w.position), w.marks}); !ends[e] {
				ends[e] = true
				found = append(found, Outcome{e.result, e.marks, w.steps()})
			}
			continue
		}
		if k := (key{w.position, w.marks}); seen[k] {
			continue
		} else if seen[k] = true; len(seen) > maxPositions {
			return found, false
		}
		for _, o := range s.optionsAt(w, options) {
			queue = append(queue, &way{s.after(w.position, o.Result), w.marks | o.Mark, Step{w.at, o.Result}, w})
		}
	}
	return found, true
}

func (s Stack) optionsAt(w *way, options func(Line, Marks) []Option) []Option {
	if line := s[w.at]; line.Kind == Module {
		return options(line, w.marks)
	}
	return []Option{{Result: mustFail}}
}

func (w *way) steps() []Step {
	var reversed []Step
	for ; w.before != nil; w = w.before {
		reversed = append(reversed, w.step)
	}
	steps := make([]Step, len(reversed))
	for i, step := range reversed {
		steps[len(steps)-1-i] = step
	}
	return steps
}
