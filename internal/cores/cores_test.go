package cores

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

func TestEachPieceIsDoneOnceBeforeItReturns(t *testing.T) {
	for _, n := range []int{0, 1, 2, runtime.GOMAXPROCS(0), 1000} {
		done := make([]atomic.Int32, n)
		Each(n, func(i int) { done[i].Add(1) })
		for i := range done {
			if times := done[i].Load(); times != 1 {
				t.Errorf("%d of %d was done %d times", i, n, times)
			}
		}
	}
}

func TestAllProcessorsAreAtWork(t *testing.T) {
	n := runtime.GOMAXPROCS(0)
	var all sync.WaitGroup
	all.Add(n)
	Each(n, func(int) { // ends only if each has a goroutine of its own
		all.Done()
		all.Wait()
	})
}
