package state

import (
	"testing"
	"time"
)

func TestWhatHasEndedSinceTheLastSuccess(t *testing.T) {
	for sentence, c := range map[string]struct {
		until, used, success time.Time
		want                 int
	}{
		"no end":                                 {want: 0},
		"an end to come":                         {until: noon.Add(time.Second), want: 0},
		"this moment":                            {until: noon, want: 1},
		"before, and nobody ever got in":         {until: noon.Add(-time.Hour), want: 1},
		"since the last success":                 {until: noon.Add(-time.Hour), success: noon.Add(-2 * time.Hour), want: 1},
		"before the last success":                {until: noon.Add(-2 * time.Hour), success: noon.Add(-time.Hour), want: 0},
		"before the last use of any device":      {until: noon.Add(-2 * time.Hour), used: noon.Add(-time.Hour), want: 0},
		"since the last use of any device":       {until: noon.Add(-time.Hour), used: noon.Add(-2 * time.Hour), want: 1},
		"a success behind a use that was before": {until: noon.Add(-2 * time.Hour), used: noon.Add(-3 * time.Hour), success: noon.Add(-time.Hour), want: 0},
	} {
		st := &State{User: "alice", Devices: []Device{{ID: ID{1}, Name: "old", Until: c.until}, {ID: ID{2}, Name: "phone", Used: c.used}}}
		if !c.success.IsZero() {
			a := Attempt{"192.0.2.1", ID{3}, One, c.success}
			st.Charge(a)
			st.Succeeded(a)
		}
		if ended := st.Ended(noon); len(ended) != c.want || c.want > 0 && ended[0].Name != "old" {
			t.Errorf("%s: %+v", sentence, ended)
		}
	}
}
