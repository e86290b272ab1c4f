package policy

import (
	"errors"
	"testing"
)

func TestWhoHas(t *testing.T) {
	down := errors.New("down")
	in := func(group string) (bool, error) {
		switch group {
		case "staff":
			return true, nil
		case "broken":
			return true, down // an answer beside an error is none
		}
		return false, nil
	}
	for sentence, test := range map[string]struct {
		who   Who
		user  string
		want  bool
		fails bool
	}{
		"nobody is named":                         {Who{}, "alice", false, false},
		"no user has no name":                     {Who{}, "", false, false},
		"the user":                                {Who{Users: []string{"bob", "alice"}}, "alice", true, false},
		"another user":                            {Who{Users: []string{"bob"}}, "alice", false, false},
		"in capitals":                             {Who{Users: []string{"Alice"}}, "alice", false, false},
		"a group of his":                          {Who{Groups: []string{"wheel", "staff"}}, "alice", true, false},
		"a group that is not his":                 {Who{Groups: []string{"wheel"}}, "alice", false, false},
		"a group of his name":                     {Who{Groups: []string{"alice"}}, "alice", false, false},
		"a user of the name of a group":           {Who{Users: []string{"staff"}}, "alice", false, false},
		"a group that cannot be looked up":        {Who{Groups: []string{"broken"}}, "alice", false, true},
		"a group behind one that cannot":          {Who{Groups: []string{"broken", "staff"}}, "alice", true, false},
		"the user beside one that cannot":         {Who{Users: []string{"alice"}, Groups: []string{"broken"}}, "alice", true, false},
		"not, and one that cannot be looked up":   {Who{Groups: []string{"broken", "wheel"}}, "alice", false, true},
		"another user, and one that is not asked": {Who{Users: []string{"bob"}, Groups: []string{"broken"}}, "alice", false, true},
	} {
		got, err := test.who.Has(test.user, in)
		if got != test.want || (err != nil) != test.fails || test.fails && !errors.Is(err, down) {
			t.Errorf("%s: %v, %v", sentence, got, err)
		}
	}
	if has, err := (Who{Groups: []string{"staff"}}).Has("alice", nil); has || err == nil {
		t.Errorf("nobody answers: %v, %v", has, err)
	}
	if has, err := (Who{Users: []string{"alice"}}).Has("alice", nil); !has || err != nil {
		t.Errorf("nobody needs to answer: %v, %v", has, err)
	}
}

func TestACopyOfAPolicySharesNothingOfIt(t *testing.T) {
	c := mustParse(t, everyKey)
	before := string(c.Compile(zeros))
	copied := c.clone()
	copied.Roles.Helpdesk.Groups[0], copied.Roles.Auditor.Users[0], copied.Roles.Protected.Groups[0] = "x", "x", "x"
	copied.Bypass.Requesters.Users[0], copied.Provisioners[0], copied.EnrollOn["kiosk"] = "x", "x", false
	if string(c.Compile(zeros)) != before {
		t.Errorf("%s", c.Compile(zeros))
	}
}
