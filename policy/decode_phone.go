package policy

import (
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// The limits of what both sms and push have.
const (
	maxConnect = 10 * time.Second
	minTimeout = 2 * time.Second
	maxTimeout = 30 * time.Second
)

// A providerKey is a key of sms or push that one provider has, or all of them where it is "".
type providerKey struct {
	provider string
	field
}

// provider reads whom a mapping is about. It comes before the other keys, which depend on it.
func (d *decoder) provider(n *yaml.Node, providers []string) string {
	if n.Kind != yaml.MappingNode {
		d.fail(n, "want keys and values such as provider: %s, found %s", providers[0], describe(n))
		return ""
	}
	value := valueOf(n, "provider")
	if value == nil {
		d.fail(n, "provider is missing: it is one of %s", strings.Join(providers, ", "))
		return ""
	}
	return d.word(value, providers)
}

// providerKeys reads the keys that a provider has. One of another provider would look right and do nothing.
func (d *decoder) providerKeys(n *yaml.Node, provider string, keys []providerKey) {
	known := []field{{"provider", func(*yaml.Node) {}}}
	for _, k := range keys {
		known = append(known, k.field)
	}
	d.table(n, func(key, value *yaml.Node) {
		at := slices.IndexFunc(known, func(f field) bool { return f.key == key.Value })
		switch {
		case at < 0:
			d.fail(key, "unknown key %.80q%s", key.Value, aboutKey(key.Value, known))
		case at > 0 && keys[at-1].provider != "" && keys[at-1].provider != provider:
			d.fail(key, "%s belongs to provider %s, and provider is %s here%s", key.Value, keys[at-1].provider, provider, insteadOf(key.Value, provider))
		default:
			known[at].read(value)
		}
	})
}

// insteadOf names the key that another provider has for the same.
func insteadOf(key, provider string) string {
	switch {
	case provider == ProviderTwilio && key == "from":
		return " (with twilio it is sender)"
	case provider == ProviderTwilio && (key == "user" || key == "password_file"):
		return " (with twilio it is account_sid and auth_token_file)"
	case provider == ProviderSMTP && key == "sender":
		return " (with smtp it is from)"
	case provider == ProviderDuo && key == "token_file":
		return " (with duo it is integration_key and secret_key_file)"
	}
	return ""
}

// textOf is a key with a text.
func (d *decoder) textOf(provider, key string, target *string, check func(string) string) providerKey {
	return providerKey{provider, field{key, func(n *yaml.Node) { *target = d.text(n, check) }}}
}

// timeOf is a key with a length of time.
func (d *decoder) timeOf(key string, target *time.Duration, least, most time.Duration) providerKey {
	return providerKey{"", field{key, func(n *yaml.Node) { *target = d.duration(n, least, most) }}}
}

func (d *decoder) sms(n *yaml.Node) {
	provider := d.provider(n, SMSProviders())
	if provider == "" {
		return
	}
	s := NewSMS(provider)
	d.providerKeys(n, provider, append(d.smsProviderKeys(&s),
		d.textOf("", "message", &s.Message, checkSMSText),
		providerKey{"", field{"digits", func(n *yaml.Node) { s.Digits = d.number(n, 6, 10) }}},
		d.timeOf("valid_for", &s.ValidFor, time.Minute, 15*time.Minute),
		providerKey{"", field{"per_hour", func(n *yaml.Node) { s.PerHour = d.number(n, 1, 10000) }}},
		d.timeOf("connect", &s.Connect, time.Second, maxConnect),
		d.timeOf("timeout", &s.Timeout, minTimeout, maxTimeout)))
	if missing := s.missing(); missing != "" {
		d.fail(n, "%s", missing)
	}
	d.deadlines(n, s.Connect, s.Timeout)
	d.cfg.SMS = &s
}

func (d *decoder) smsProviderKeys(s *SMS) []providerKey {
	return []providerKey{
		d.textOf(ProviderTwilio, "account_sid", &s.AccountSID, checkSID("AC")),
		d.textOf(ProviderTwilio, "auth_token_file", &s.AuthTokenFile, checkSecretFile),
		d.textOf(ProviderTwilio, "api_key_sid", &s.APIKeySID, checkSID("SK")),
		d.textOf(ProviderTwilio, "api_key_secret_file", &s.APIKeySecretFile, checkSecretFile),
		d.textOf(ProviderTwilio, "sender", &s.Sender, checkSender),
		d.textOf(ProviderTwilio, "messaging_service_sid", &s.MessagingServiceSID, checkSID("MG")),
		d.textOf(ProviderTwilio, "url", &s.URL, checkURL),
		{ProviderCommand, field{"command", func(n *yaml.Node) { s.Command = d.command(n) }}},
		d.textOf(ProviderSMTP, "server", &s.Server, checkServer),
		d.textOf(ProviderSMTP, "from", &s.From, checkMailbox),
		d.textOf(ProviderSMTP, "to", &s.To, checkGateway),
		d.textOf(ProviderSMTP, "user", &s.User, checkText),
		d.textOf(ProviderSMTP, "password_file", &s.PasswordFile, checkSecretFile),
	}
}

// missing says which key the provider cannot do without, or which two say one thing twice.
func (s *SMS) missing() string {
	switch s.Provider {
	case ProviderTwilio:
		return s.missingOfTwilio()
	case ProviderCommand:
		if len(s.Command) == 0 {
			return "provider command needs command, such as [/usr/local/bin/send-sms]: it gets the number, a line feed and the text on its standard input"
		}
	case ProviderSMTP:
		switch {
		case s.From == "" || s.To == "":
			return "provider smtp needs from and to, such as from: twokey@example.org and to: '%NUMBER%@sms.example.org'"
		case (s.User == "") != (s.PasswordFile == ""):
			return "user and password_file belong together: one of them is missing"
		}
	}
	return ""
}

func (s *SMS) missingOfTwilio() string {
	token, key := s.AuthTokenFile != "", s.APIKeySID != "" || s.APIKeySecretFile != ""
	switch {
	case s.AccountSID == "":
		return "provider twilio needs account_sid, which begins with AC"
	case token && key:
		return "auth_token_file and api_key_sid are two ways to sign in: leave one of them out"
	case !token && !key:
		return "provider twilio needs auth_token_file, or api_key_sid and api_key_secret_file"
	case key && (s.APIKeySID == "" || s.APIKeySecretFile == ""):
		return "api_key_sid and api_key_secret_file belong together: one of them is missing"
	case s.Sender != "" && s.MessagingServiceSID != "":
		return "sender and messaging_service_sid are two ways to say who sends: leave one of them out"
	case s.Sender == "" && s.MessagingServiceSID == "":
		return "provider twilio needs sender, the number that messages come from, or messaging_service_sid"
	}
	return ""
}

func (d *decoder) push(n *yaml.Node) {
	provider := d.provider(n, PushProviders())
	if provider == "" {
		return
	}
	p := NewPush(provider)
	d.providerKeys(n, provider, []providerKey{
		d.textOf("", "url", &p.URL, checkURL),
		d.textOf(ProviderNtfy, "token_file", &p.TokenFile, checkSecretFile),
		d.textOf(ProviderNtfy, "answer_token_file", &p.AnswerTokenFile, checkSecretFile),
		d.textOf(ProviderDuo, "api_host", &p.APIHost, checkAPIHost),
		d.textOf(ProviderDuo, "integration_key", &p.IntegrationKey, checkIntegrationKey),
		d.textOf(ProviderDuo, "secret_key_file", &p.SecretKeyFile, checkSecretFile),
		{ProviderNtfy, field{"match_number", func(n *yaml.Node) { p.MatchNumber = d.boolean(n) }}},
		d.timeOf("wait", &p.Wait, 10*time.Second, 85*time.Second),
		d.timeOf("connect", &p.Connect, time.Second, maxConnect),
		d.timeOf("timeout", &p.Timeout, minTimeout, maxTimeout),
	})
	if missing := p.missing(); missing != "" {
		d.fail(n, "%s", missing)
	}
	d.deadlines(n, p.Connect, p.Timeout)
	d.cfg.Push = &p
}

// missing says which key the provider cannot do without. With one file for both tokens, what travels in a message could read every
// challenge.
func (p *Push) missing() string {
	switch {
	case p.Provider == ProviderNtfy && p.URL == "":
		return "provider ntfy needs url, such as https://ntfy.example.org"
	case p.Provider == ProviderNtfy && p.TokenFile == "":
		return "provider ntfy needs token_file, the file with the token that publishes challenges and reads answers"
	case p.Provider == ProviderNtfy && p.TokenFile == p.AnswerTokenFile:
		return "token_file and answer_token_file are one file: the answer's token travels in every message, and may do nothing but write to tk-rsp-*"
	case p.Provider == ProviderDuo && p.APIHost == "":
		return "provider duo needs api_host, such as api-1a2b3c4d.duosecurity.com"
	case p.Provider == ProviderDuo && (p.IntegrationKey == "" || p.SecretKeyFile == ""):
		return "provider duo needs integration_key, which begins with DI, and secret_key_file"
	}
	return ""
}

// deadlines refuses a part that is longer than the whole.
func (d *decoder) deadlines(n *yaml.Node, connect, timeout time.Duration) {
	if connect > timeout {
		d.fail(n, "connect is %s and timeout, for the whole request, %s: connect cannot be longer", Brief(connect), Brief(timeout))
	}
}

// maxArguments is how many words a command has at most.
const maxArguments = 32

// command reads a program and its arguments. No shell reads them, so there is nothing in them to escape.
func (d *decoder) command(n *yaml.Node) []string {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		d.fail(n, "want a program and its arguments such as [/usr/local/bin/send-sms, --queue], found %s", describeList(n))
		return nil
	}
	if len(n.Content) > maxArguments {
		d.fail(n, "this command has %d words, the limit is %d", len(n.Content), maxArguments)
	}
	var words []string
	for i, item := range n.Content {
		check := checkText
		if i == 0 {
			check = checkPath
		}
		words = append(words, d.text(item, check))
	}
	return words
}
