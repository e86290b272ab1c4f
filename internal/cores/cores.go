// Package cores does many small pieces of work on all processors.
package cores

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Each calls work for 0 to n-1, on as many processors as there are, and returns when all of it is done. Each piece is begun in its turn;
// in what order they end is left open.
func Each(n int, work func(i int)) {
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				work(i)
			}
		})
	}
	workers.Wait()
}
