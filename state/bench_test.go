package state

import "testing"

// BenchmarkUpdate is what a login costs here: lock, charge, write, consume, write, synchronise.
func BenchmarkUpdate(b *testing.B) {
	store, _ := newStore(b)
	for b.Loop() {
		err := store.Update("alice", func(tx *Tx) error {
			a := Attempt{home, ID{1}, One, noon}
			tx.Charge(a)
			if err := tx.Flush(); err != nil {
				return err
			}
			tx.Devices[0].Consumed++
			tx.Succeeded(a)
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodeFull(b *testing.B) {
	s := full()
	for b.Loop() {
		if _, err := s.Encode(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRead is what a list costs here for each user.
func BenchmarkRead(b *testing.B) {
	store, _ := newStore(b)
	for b.Loop() {
		if _, err := store.Read("alice"); err != nil {
			b.Fatal(err)
		}
	}
}
