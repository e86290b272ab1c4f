package doctor

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"twokey/internal/pamconf"
	"twokey/policy"
)

var keywordSamples = map[string][2]string{
	"UsePAM yes":                     {"usepam", "yes"},
	"\tusepam=no\n":                  {"usepam", "no"},
	"AuthenticationMethods  a,b c  ": {"authenticationmethods", "a,b c"},
	`ForceCommand "internal-sftp"`:   {"forcecommand", "internal-sftp"},
	"# UsePAM yes":                   {"", ""},
	"":                               {"", ""},
	"PermitRootLogin":                {"permitrootlogin", ""},
}

func TestKeywordAndValue(t *testing.T) {
	for line, want := range keywordSamples {
		keyword, value := keywordAndValue(line)
		if got := [2]string{keyword, value}; got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

var addressSamples = map[string]string{
	"192.0.2.0/24":    "192.0.2.1",
	"192.0.2.7/32":    "192.0.2.7",
	"192.0.2.9":       "192.0.2.9",
	"2001:db8::/32":   "2001:db8::1",
	"10.*.*.?":        "10.1.1.1",
	"bastion.example": "",
	"":                "",
	"192.0.2.0/33":    "",
}

func TestAddressInIsOneThatMatches(t *testing.T) {
	for pattern, want := range addressSamples {
		if got := addressIn(pattern); got != want {
			t.Errorf("%q: %q, want %q", pattern, got, want)
		}
	}
}

func FuzzAddressIn(f *testing.F) {
	for pattern := range addressSamples {
		f.Add(pattern)
	}
	f.Fuzz(func(t *testing.T, pattern string) {
		got := addressIn(pattern)
		if got == "" {
			return
		}
		address, err := netip.ParseAddr(got)
		if err != nil || strings.ContainsAny(got, ", \n") {
			t.Fatalf("%q: %q, %v", pattern, got, err)
		}
		if prefix, err := netip.ParsePrefix(pattern); err == nil && !prefix.Contains(address) {
			t.Fatalf("%q is not in %q", got, pattern)
		}
	})
}

func TestSettingsFollowsIncludes(t *testing.T) {
	s := newScratch(t, goodFiles())
	s.write(sshdConf, "Include /etc/ssh/sshd_config.d/*.conf more\nUsePAM yes\nMatch User alice\n  Include sshd_config.d/10-a.conf\n")
	s.write("etc/ssh/sshd_config.d/20-b.conf", "UsePAM no\n")
	s.write("etc/ssh/sshd_config.d/10-a.conf", "# nothing\nPasswordAuthentication no\nMatch Address 198.51.100.0/24,!203.0.113.0/24 User bob\nUsePAM no\n")
	s.write("etc/ssh/sshd_config.d/note.txt", "UsePAM no\n")
	s.write("etc/ssh/more", "LoginGraceTime 5\n")
	e := &examination{Host: s.host}
	settings, err := e.sshdSettings()
	s.must(err)
	var got []string
	for _, one := range settings {
		got = append(got, at(one.Place)+" "+one.keyword+" ["+one.match+"]")
	}
	const a, network = "/etc/ssh/sshd_config.d/10-a.conf", "[Address 198.51.100.0/24,!203.0.113.0/24 User bob]"
	want := []string{a + " line 2 passwordauthentication []", a + " line 3 match " + network, a + " line 4 usepam " + network,
		"/etc/ssh/sshd_config.d/20-b.conf line 1 usepam []", "/etc/ssh/more line 1 logingracetime []", "/etc/ssh/sshd_config line 2 usepam []",
		"/etc/ssh/sshd_config line 3 match [User alice]", a + " line 2 passwordauthentication [User alice]", a + " line 3 match " + network, a + " line 4 usepam " + network}
	if !slices.Equal(got, want) {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if addresses := matchAddresses(settings[:3]); !slices.Equal(addresses, []string{"198.51.100.1", "203.0.113.1"}) {
		t.Errorf("%q", addresses)
	}
}

var chronySamples = map[string]Clock{
	"Reference ID    : C0000201\nSystem time     : 0.000012 seconds slow of NTP time\nLeap status     : Normal\n": {Synchronised: true, By: "chrony", Known: true, Offset: -12 * time.Microsecond},
	"System time     : 94.5 seconds fast of NTP time\nLeap status     : Insert second\n":                          {Synchronised: true, By: "chrony", Known: true, Offset: 94500 * time.Millisecond},
	"System time     : 0.0 seconds fast of NTP time\nLeap status     : Not synchronised\n":                        {By: "chrony", Known: true},
	"System time     : -3 seconds fast\nLeap status: Normal\n":                                                    {Synchronised: true, By: "chrony"},
	"System time     : much\nLeap status: Normal\n":                                                               {Synchronised: true, By: "chrony"},
}

func TestChrony(t *testing.T) {
	for text, want := range chronySamples {
		if got, ok := chrony(text); !ok || got != want {
			t.Errorf("%q: %+v, %v, want %+v", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "506 Cannot talk to daemon\n"} {
		if got, ok := chrony(text); ok {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func FuzzChrony(f *testing.F) {
	for text := range chronySamples {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if c, ok := chrony(text); ok && !c.Known && c.Offset != 0 || c.Offset.Abs() > 1e9*time.Second {
			t.Fatalf("%q: %+v", text, c)
		}
	})
}

func TestTheClockOfThisMachineCanBeAsked(t *testing.T) {
	if c, err := MachineClock(t.Context()); err != nil || c.By == "" {
		t.Errorf("%+v, %v", c, err)
	}
}

var sudoSamples = map[string][2]string{
	"env_reset":                                  {"", ""},
	"!authenticate":                              {"says !authenticate", "# Defaults !authenticate"},
	"env_reset, !authenticate , insults":         {"says !authenticate", "Defaults env_reset, insults"},
	"timestamp_timeout=-1":                       {"remembers a login for ever (timestamp_timeout below zero)", "Defaults timestamp_timeout=15"},
	"timestamp_timeout=5":                        {"", ""},
	"insults, timestamp_timeout = -0.5, lecture": {"remembers a login for ever (timestamp_timeout below zero)", "Defaults insults, timestamp_timeout=15, lecture"},
}

func TestSudoDefault(t *testing.T) {
	for rest, want := range sudoSamples {
		why, better := sudoDefault("Defaults", rest)
		if why == "" {
			better = ""
		}
		if got := [2]string{why, better}; got != want {
			t.Errorf("%q: %q, want %q", rest, got, want)
		}
	}
}

func FuzzSudoDefault(f *testing.F) {
	for rest := range sudoSamples {
		f.Add(rest)
	}
	f.Fuzz(func(t *testing.T, rest string) {
		why, better := sudoDefault("Defaults", rest)
		if again, _ := sudoDefault("Defaults", strings.TrimPrefix(better, "Defaults ")); why != "" && again != "" && !strings.HasPrefix(better, "#") {
			t.Fatalf("%q: %q is not better", rest, better)
		}
	})
}

func TestThereAreSamples(t *testing.T) {
	if len(keywordSamples) != 7 || len(addressSamples) != 8 || len(chronySamples) != 5 || len(sudoSamples) != 6 {
		t.Errorf("%d, %d, %d and %d samples", len(keywordSamples), len(addressSamples), len(chronySamples), len(sudoSamples))
	}
}

func TestMayMean(t *testing.T) {
	alice := somebody("alice", 1001, true, "wheel")
	for who, want := range map[string]bool{
		"alice": true, "bob": false, "ALL": true, "ADMINS": true, "%wheel": true, "%users": false, "#1001": true, "+netgroup": true, "%#10": true,
		"Defaults": true, "Defaults:alice": true, "Defaults:bob": false, "Defaults@host": true, "!bob": true,
	} {
		if got := mayMean(who, alice); got != want {
			t.Errorf("%s: %v", who, got)
		}
	}
	alice.Facts = func(string, string) policy.Facts { return policy.Facts{} }
	if !mayMean("%users", alice) {
		t.Error("a group that cannot be looked up is taken for one that he is not in")
	}
}

func TestArgumentProblem(t *testing.T) {
	for args, want := range map[string][2]string{
		"":                                   {"", "auth required pam_twokey.so"},
		"decoy debug":                        {"", "auth required pam_twokey.so decoy debug"},
		"after=password config=/a helper=/b": {"", "auth required pam_twokey.so after=password config=/a helper=/b"},
		"socket=/run/x/verify.sock":          {"", "auth required pam_twokey.so socket=/run/x/verify.sock"},
		"decoi":                              {"there is no argument decoi", "auth required pam_twokey.so decoy"},
		"nullok":                             {"there is no argument nullok", "auth required pam_twokey.so"},
		"config=a":                           {"there is no argument config=a", "auth required pam_twokey.so"},
		"config=/a config=/b":                {"the argument config=/b is repeated", "auth required pam_twokey.so config=/a"},
		"debug debug":                        {"the argument debug is repeated", "auth required pam_twokey.so debug"},
		"after=code":                         {"there is no argument after=code", "auth required pam_twokey.so"},
	} {
		line := pamconf.Line{Phase: pamconf.Auth, Word: "required", Module: moduleName, Args: strings.Fields(args)}
		why, better := argumentProblem(line)
		if got := [2]string{why, better}; got != want {
			t.Errorf("%q: %q, want %q", args, got, want)
		}
	}
	session := pamconf.Line{Phase: pamconf.Session, Word: "required", Module: moduleName, Args: []string{"decoy"}}
	if why, better := argumentProblem(session); why != "decoy belongs into an auth line" || better != "session required pam_twokey.so" {
		t.Errorf("%q, %q", why, better)
	}
}
