package main

import (
	"testing"
	"time"

	"twokey/policy"
	"twokey/state"
)

func TestFilters(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	ago := func(days int) time.Time { return now.AddDate(0, 0, -days) }
	has := func(devices ...state.Device) *person {
		return &person{enrolled: true, state: &state.State{Devices: devices}}
	}
	required := policy.Outcome{Decision: policy.Required}
	unused, missing := filter{unused: 90 * 24 * time.Hour}, filter{missing: true}
	for why, c := range map[string]struct {
		f    filter
		p    *person
		want bool
	}{
		"unused: last used longer ago":                 {unused, has(state.Device{Created: ago(300), Used: ago(91)}), true},
		"unused: used within":                          {unused, has(state.Device{Created: ago(300), Used: ago(89)}), false},
		"unused: never used, made longer ago":          {unused, has(state.Device{Created: ago(91)}), true},
		"unused: never used, made within":              {unused, has(state.Device{Created: ago(1)}), false},
		"unused: one of two is used":                   {unused, has(state.Device{Created: ago(300)}, state.Device{Created: ago(300), Used: ago(1)}), false},
		"unused: without a device":                     {unused, &person{}, false},
		"missing: required without a device":           {missing, &person{outcome: required}, true},
		"missing: required with one":                   {missing, &person{enrolled: true, outcome: required}, false},
		"missing: required on one service":             {missing, &person{services: []service{{"sshd", required}}}, true},
		"missing: optional without a device":           {missing, &person{outcome: policy.Outcome{Decision: policy.Optional}}, false},
		"missing: was reset":                           {missing, &person{state: &state.State{MustEnroll: true}}, true},
		"method: another one":                          {filter{method: "hotp"}, has(state.Device{Method: "totp"}), false},
		"method: one of two":                           {filter{method: "hotp"}, has(state.Device{Method: "totp"}, state.Device{Method: "hotp"}), true},
		"method: what the state still has of the past": {filter{method: "totp"}, &person{state: &state.State{Devices: []state.Device{{Method: "totp"}}}}, false},
		"two filters: one does not hold":               {filter{required: true, method: "totp"}, has(state.Device{Method: "totp"}), false},
	} {
		if got := c.f.keeps(c.p, now); got != c.want {
			t.Errorf("%s: %v", why, got)
		}
	}
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{"90d": 90 * 24 * time.Hour, "2w": 14 * 24 * time.Hour, "12h": 12 * time.Hour, "1h30m": 90 * time.Minute} {
		if got, err := duration("for", text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "d", "0d", "-1d", "1.5d", "90", "soon", "9999999999999999999d", "106752d", "0s", "-1h"} {
		if got, err := duration("for", text); err == nil || exitStatus(err) != exitUsage {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}
