package policy

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestWhatIsSentHasItsDefaults(t *testing.T) {
	for src, want := range map[string]any{
		twilio + "  sender: Example Ltd\n": &SMS{Provider: "twilio", AccountSID: "AC" + hex32, AuthTokenFile: "twilio.token", Sender: "Example Ltd",
			URL: "https://api.twilio.com", Message: "Your %ISSUER% verification code is: %CODE%", Digits: 6, ValidFor: 5 * time.Minute, PerHour: 100,
			Connect: 3 * time.Second, Timeout: 8 * time.Second},
		program[:strings.LastIndex(program, ",")] + "}\n": &SMS{Provider: "command", Command: []string{"/bin/send"},
			Message: DefaultMessage, Digits: 6, ValidFor: 5 * time.Minute, PerHour: 100, Connect: 3 * time.Second, Timeout: 8 * time.Second},
		gateway + "to: '%NUMBER%@example.org'}\n": &SMS{Provider: "smtp", Server: "localhost:25", From: "a@example.org", To: "%NUMBER%@example.org",
			Message: DefaultMessage, Digits: 6, ValidFor: 5 * time.Minute, PerHour: 100, Connect: 3 * time.Second, Timeout: 8 * time.Second},
		ntfy + "}\n": &Push{Provider: "ntfy", URL: "https://ntfy.example.org", TokenFile: "ntfy.token", MatchNumber: true,
			Wait: time.Minute, Connect: 3 * time.Second, Timeout: 8 * time.Second},
		duoHost + "api-1a2b3c4d.duosecurity.com}\n": &Push{Provider: "duo", APIHost: "api-1a2b3c4d.duosecurity.com", IntegrationKey: "DIABCDEFGHIJ12345678",
			SecretKeyFile: "duo.key", Wait: time.Minute, Connect: 3 * time.Second, Timeout: 8 * time.Second},
	} {
		c := mustParse(t, src)
		got := any(c.SMS)
		if c.SMS == nil {
			got = c.Push
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got\n%+v\nwant\n%+v", src, got, want)
		}
	}
	if c := mustParse(t, "version: 1\n"); c.SMS != nil || c.Push != nil || c.MethodsDefault != DefaultNone {
		t.Errorf("%+v, %+v, %q", c.SMS, c.Push, c.MethodsDefault)
	}
}

func TestAddressesOfProvidersThatAreRight(t *testing.T) {
	for _, address := range []string{
		"https://ntfy.example.org", "https://ntfy.example.org:8443", "https://192.0.2.7", "https://192.0.2.7:1", "https://[2001:db8::1]",
		"https://[2001:db8::1]:65535", "https://ntfy", "https://localhost", "http://localhost", "http://LOCALHOST:80", "http://127.0.0.1:8080",
		"http://127.255.0.3", "http://[::1]:80", "http://[::1]",
	} {
		if wrong := checkURL(address); wrong != "" {
			t.Errorf("%s: %s", address, wrong)
		}
	}
}

func TestNumbersOfTelephones(t *testing.T) {
	for number, want := range map[string]bool{
		"+15005550006": true, "+1234567": true, "+123456789012345": true,
		"": false, "+": false, "+123456": false, "+1234567890123456": false, "+05005550006": false, "15005550006": false, "0015005550006": false,
		"+1 5005550006": false, "+1-500-5550006": false, "++15005550006": false, "+1500555000６": false, "+15005550006\n": false, " +15005550006": false,
		"+1500555CALL": false,
	} {
		if IsE164(number) != want {
			t.Errorf("%q: %v", number, !want)
		}
	}
}

func TestNamesThatMessagesComeFrom(t *testing.T) {
	for _, sender := range []string{"Example", "A", "Example Ltd", "12345678901a", "2FA", "R&D_x-1"} {
		if wrong := checkSender(sender); (wrong == "") != (len(sender) <= 11) {
			t.Errorf("%s: %q", sender, wrong)
		}
	}
}

// The word that is offered is the same for everybody, and only what can be sent is.
func TestTheWordsThatAreOffered(t *testing.T) {
	sms := "sms: {provider: command, command: [/bin/send]}\n"
	own := "push: {provider: ntfy, url: 'https://ntfy.example.org', token_file: t}\n"
	cisco := "push: {provider: duo, api_host: api-1.duosecurity.com, integration_key: DIABCDEFGHIJ12345678, secret_key_file: s}\n"
	for what, c := range map[string]struct {
		src  string
		want []string
	}{
		"nothing is configured":                  {"", nil},
		"both are named, and there is nobody":    {"methods: [push, sms]\n", nil},
		"SMS":                                    {sms, []string{"sms"}},
		"push":                                   {own, []string{"push"}},
		"both, in the order of methods":          {sms + own, []string{"push", "sms"}},
		"both, in another order":                 {"methods: [sms, totp, push]\n" + sms + own, []string{"sms", "push"}},
		"Duo, which calls too":                   {sms + cisco, []string{"push", "phone", "sms"}},
		"SMS, which methods does not name":       {"methods: [totp, push]\n" + sms + own, []string{"push"}},
		"a rule has less":                        {"rules: [{users: [a], then: required, methods: [totp]}]\n" + sms, []string{"sms"}},
		"a rule has more":                        {"methods: [totp]\nrules: [{users: [a], then: required, methods: [sms]}]\n" + sms, nil},
		"it is switched off, which others judge": {"enabled: false\n" + sms, []string{"sms"}},
	} {
		cfg := mustParse(t, "version: 1\n"+c.src)
		if got := cfg.Offered(true); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", what, got, c.want)
		}
		if got := cfg.Offered(false); got != nil {
			t.Errorf("%s: %q without a password before it", what, got)
		}
		for _, method := range Methods() {
			if cfg.Sends(method) != slices.Contains(c.want, method) {
				t.Errorf("%s: Sends(%s) is %v", what, method, cfg.Sends(method))
			}
		}
	}
	var none *Config
	if none.Offered(true) != nil || none.Sends("sms") {
		t.Error("something is sent without a configuration")
	}
}

func TestTheTextOfAMessage(t *testing.T) {
	s := NewSMS(ProviderTwilio)
	if got, want := s.Text("123456", "Example", "web1"), "Your Example verification code is: 123456"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	s.Message, s.ValidFor = "%CODE% %CODE% for %ISSUER% on %HOST%, %MINUTES% min, 100 % sure", 119*time.Second
	if got, want := s.Text("123456", "%CODE%", "a\n\x1b[2J"), "123456 123456 for %CODE% on a??[2J, 1 min, 100 % sure"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestWhereAProviderIsReached(t *testing.T) {
	for want, p := range map[string]Push{
		"https://ntfy.example.org":             {Provider: ProviderNtfy, URL: "https://ntfy.example.org"},
		"https://api-1a2b3c4d.duosecurity.com": {Provider: ProviderDuo, APIHost: "api-1a2b3c4d.duosecurity.com"},
		"http://127.0.0.1:8080":                {Provider: ProviderDuo, APIHost: "api-1a2b3c4d.duosecurity.com", URL: "http://127.0.0.1:8080"},
		"":                                     {Provider: ProviderNtfy, APIHost: "api-1a2b3c4d.duosecurity.com"},
	} {
		if got := p.Address(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestTheFilesThatAProviderNeeds(t *testing.T) {
	for src, want := range map[string][]string{
		twilio + "  sender: Example\n":                                   {"twilio.token"},
		program + "digits: 7}\n":                                         nil,
		gateway + "to: '%USER%@example.org', user: a, password_file: b}": {"b"},
		ntfy + "answer_token_file: a}\n":                                 {"ntfy.token", "a"},
		duoHost + "api-1.duosecurity.com}\n":                             {"duo.key"},
	} {
		c, got := mustParse(t, src), []string(nil)
		if c.SMS != nil {
			got = c.SMS.Credentials()
		} else {
			got = c.Push.Credentials()
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", src, got, want)
		}
	}
}

// What is refused must not put a secret that was written into the wrong place on a screen or into a log.
func TestWhatLooksLikeASecretIsNotShown(t *testing.T) {
	const secret = "f123456789abcdef0123456789abcdef"
	for _, src := range []string{
		"version: 1\nsms: {provider: twilio, account_sid: " + secret + "}\n",
		"version: 1\nsms: {provider: twilio, auth_token: " + secret + "}\n",
		"version: 1\nsms: {provider: twilio, auth_token_file: " + secret + "}\n",
		"version: 1\nsms: {provider: twilio, api_key_sid: " + secret + "}\n",
		"version: 1\npush: {provider: duo, integration_key: " + secret + "}\n",
		"version: 1\npush: {provider: ntfy, token_file: tk_" + secret + "}\n",
		"version: 1\npush: {provider: ntfy, url: 'https://bob:" + secret + "@example.org'}\n",
	} {
		if _, err := Parse([]byte(src)); err == nil || strings.Contains(err.Error(), secret[:8]) {
			t.Errorf("%v", err)
		}
	}
}

// A change to the copy of a configuration must not change the configuration.
func TestACloneHasItsOwnSections(t *testing.T) {
	c := mustParse(t, ntfy+"}\nsms: {provider: command, command: [/bin/send, a]}\n")
	copied := c.clone()
	copied.Push.URL, copied.SMS.Digits, copied.SMS.Command[1] = "x", 9, "b"
	if c.Push.URL == "x" || c.SMS.Digits == 9 || c.SMS.Command[1] == "b" {
		t.Errorf("%+v, %+v", c.SMS, c.Push)
	}
}
