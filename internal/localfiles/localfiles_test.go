package localfiles

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

const passwd = `root:x:0:0:root:/root:/bin/bash
# alice:x:7:7::/:/bin/sh
+alice:x:8:8::/:/bin/sh
alice:x:1000:1000:Alice,,,:/home/alice:/bin/bash
alice:x:1001:1001:second:/:/bin/sh
bob:x:-5:1:::/bin/sh
bob:x:1002:+7:::/bin/sh
bob:x:4294967295:1:::/bin/sh
bob:x:4294967296:1:::/bin/sh
bob:x:0x10:1:::/bin/sh
bob:x::1:::/bin/sh
bob:x:1002:1::/bin/sh
bob:x:1002:1:::/bin/sh:more
:x:1003:1003:::/bin/sh
+
carol:x:1004:10:::
last:x:1005:1005::/:/bin/false`

func TestTheFirstWholeLineOfANameIsTheAccount(t *testing.T) {
	for name, want := range map[string]Account{
		"root": {"root", 0, 0, "/bin/bash"}, "alice": {"alice", 1000, 1000, "/bin/bash"}, "carol": {"carol", 1004, 10, ""},
		"last": {"last", 1005, 1005, "/bin/false"},
	} {
		if got, found := find(passwd, name); !found || got != want {
			t.Errorf("%s: %+v, %v, want %+v", name, got, found, want)
		}
	}
	for _, name := range []string{"", "bob", "# alice", "+alice", "Alice", "alice ", "+", "dave", "alice:x", "root\n"} {
		if got, found := find(passwd, name); found {
			t.Errorf("%q: %+v", name, got)
		}
	}
}

const groups = `root:x:0:
wheel:x:10:alice,bob
admin:x:10:dave
wheel:x:11:carol
staff:x:50:bob
+staff:x:51:alice
broken:x:x:alice
odd:x:12
primary:x:1000:
`

func TestMembershipIsByPrimaryGroupOrByAnyListOfTheNumber(t *testing.T) {
	alice, dave := Account{Name: "alice", UID: 1000, GID: 1000}, Account{Name: "dave", UID: 1003, GID: 1003}
	carol := Account{Name: "carol", UID: 1004, GID: 50}
	for name, c := range map[string]struct {
		who           Account
		group         string
		member, found bool
	}{
		"listed":                       {alice, "wheel", true, true},
		"listed under its other name":  {dave, "wheel", true, true},
		"listed, asked by the other":   {alice, "admin", true, true},
		"listed in a second line only": {carol, "wheel", false, true},
		"the primary group":            {alice, "primary", true, true},
		"the primary group has a list": {carol, "staff", true, true},
		"a line that is no entry":      {alice, "staff", false, true},
		"a number that is none":        {alice, "broken", false, false},
		"too few fields":               {alice, "odd", false, false},
		"no such group":                {alice, "nogroup", false, false},
		"a group without a name":       {alice, "", false, false},
		"a part of a name in a list":   {Account{Name: "ali"}, "wheel", false, true},
		"several names with a comma":   {Account{Name: "alice,bob", GID: 1}, "wheel", false, true},
	} {
		if member, found := c.who.inGroup(groups, c.group); member != c.member || found != c.found {
			t.Errorf("%s: %v, %v", name, member, found)
		}
	}
}

const subuid = `alice:100000:65536
bob:165536:65536
1000:300000:0
carol:400000:x
carol:-1:65536
carol:400000:2:more
dave:4294967290:65536
alice:500000:10
alice:500005:10
`

func TestASubordinateUserIDStandsForTheFirstOfItsOwner(t *testing.T) {
	for uid, want := range map[uint32]uint32{100000: 100000, 100001: 100000, 165535: 100000, 165536: 165536, 231071: 165536, 500000: 100000,
		500014: 100000, 4294967290: 4294967290, 4294967295: 4294967290} {
		if first, found := subordinate(subuid, uid); !found || first != want {
			t.Errorf("%d: %d, %v, want %d", uid, first, found, want)
		}
	}
	for _, uid := range []uint32{0, 1, 1000, 99999, 231072, 300000, 400000, 400001, 500015, 4294967289} {
		if first, found := subordinate(subuid, uid); found {
			t.Errorf("%d: %d", uid, first)
		}
	}
}

func TestTheHostsOwnFiles(t *testing.T) {
	root, found, err := Find("root")
	if err != nil || !found || root.UID != 0 {
		t.Fatalf("%+v, %v, %v", root, found, err)
	}
	if member, found, err := root.InGroup("root"); err != nil || !found || !member {
		t.Errorf("root is not in the group root: %v, %v, %v", member, found, err)
	}
	if _, found, err := root.InGroup("twokey-no-such-group"); err != nil || found {
		t.Errorf("%v, %v", found, err)
	}
	if _, found, err := Subordinate(0); err != nil || found {
		t.Errorf("%v, %v", found, err)
	}
}

func TestAFileThatOthersCanWriteIsNotRead(t *testing.T) {
	path := t.TempDir() + "/passwd"
	for _, err := range []error{os.WriteFile(path, []byte(passwd), 0o600), os.Chmod(path, 0o666)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if text, err := read(path); err == nil || text != "" {
		t.Errorf("read %q", text)
	}
	if _, err := read(path + ".missing"); err == nil {
		t.Error("a file that is not there was read")
	}
}

var fuzzSeeds = []string{passwd, groups, "", "\n", ":::::::", "a:b:c", strings.Repeat(":", 1000), "a:x:1:1:::\x00", "alice:x:1000:1000:::", subuid}

func FuzzFiles(f *testing.F) {
	for _, seed := range fuzzSeeds {
		f.Add(seed, "alice")
	}
	f.Fuzz(func(t *testing.T, text, name string) {
		a, found := find(text, name)
		if found && (a.Name != name || name == "" || !strings.Contains("\n"+text, "\n"+name+":")) {
			t.Errorf("%+v for %q", a, name)
		}
		if first, found := subordinate(text, 100007); found && !strings.Contains(text, fmt.Sprint(first)) {
			t.Errorf("it stands for %d", first)
		}
		if member, found := a.inGroup(text, name); member && !found {
			t.Error("a member of a group that is not there")
		}
	})
}

func TestFuzzSeeds(t *testing.T) {
	if len(fuzzSeeds) < 9 {
		t.Errorf("%d seeds", len(fuzzSeeds))
	}
}
