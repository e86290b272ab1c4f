package policy

import (
	"encoding/json"
	"slices"
	"time"
)

// The providers of push.
const (
	ProviderNtfy = "ntfy" // a server of one's own, https://ntfy.sh/docs
	ProviderDuo  = "duo"  // Cisco Duo, Auth API v2
)

// PushProviders lists the providers of push.
func PushProviders() []string { return []string{ProviderNtfy, ProviderDuo} }

// Push is how a question gets to a phone, to be answered there. What belongs to the other provider is empty. One from [Parse] has all
// its defaults filled in; [NewPush] gives them alone.
type Push struct {
	Provider string // one of [PushProviders]
	URL      string // https://host[:port], or http:// to a loopback address; with duo "" is the APIHost: see [Push.Address]

	// ntfy
	TokenFile       string // a file in Paths.Credentials: publishes challenges, reads answers
	AnswerTokenFile string // "", or another such file: travels in the message, for the phone's answer
	MatchNumber     bool   // the number on the screen has to be pressed; false: Allow and Deny

	// duo
	APIHost        string // api-XXXXXXXX.duosecurity.com
	IntegrationKey string // "DI" and 18 capitals and digits
	SecretKeyFile  string // a file in Paths.Credentials

	Wait    time.Duration // for the answer, whole seconds, 10 to 85: the module waits 90 for the user's lock
	Connect time.Duration // until a connection stands, whole seconds, 1 to 10, not above Timeout
	Timeout time.Duration // until the request is with the provider, whole seconds, 2 to 30
}

// NewPush gives what counts for a provider where nothing is said.
func NewPush(provider string) Push {
	return Push{Provider: provider, MatchNumber: provider == ProviderNtfy,
		Wait: time.Minute, Connect: 3 * time.Second, Timeout: 8 * time.Second}
}

// PushProvider is the provider that asks phones, one of [PushProviders]; "": none does.
func (c *Config) PushProvider() string {
	if c.Push == nil {
		return ""
	}
	return c.Push.Provider
}

func (p *Push) clone() *Push {
	if p == nil {
		return nil
	}
	copied := *p
	return &copied
}

// Address is where the provider is reached: https://host[:port], or http:// to a loopback address.
func (p *Push) Address() string {
	if p.URL == "" && p.Provider == ProviderDuo {
		return "https://" + p.APIHost
	}
	return p.URL
}

// Credentials names the files of Paths.Credentials that the provider needs.
func (p *Push) Credentials() []string {
	return notEmpty(p.TokenFile, p.AnswerTokenFile, p.SecretKeyFile)
}

// pushLine is Push as it is written.
type pushLine struct {
	Provider        string `json:"provider"`
	URL             string `json:"url,omitempty"`
	TokenFile       string `json:"token_file,omitempty"`
	AnswerTokenFile string `json:"answer_token_file,omitempty"`
	APIHost         string `json:"api_host,omitempty"`
	IntegrationKey  string `json:"integration_key,omitempty"`
	SecretKeyFile   string `json:"secret_key_file,omitempty"`
	MatchNumber     *bool  `json:"match_number,omitempty"`
	Wait            string `json:"wait"`
	Connect         string `json:"connect"`
	Timeout         string `json:"timeout"`
}

// MarshalJSON writes the keys of the configuration.
func (p Push) MarshalJSON() ([]byte, error) {
	line := pushLine{p.Provider, p.URL, p.TokenFile, p.AnswerTokenFile, p.APIHost, p.IntegrationKey, p.SecretKeyFile,
		nil, seconds(p.Wait), seconds(p.Connect), seconds(p.Timeout)}
	if p.Provider == ProviderNtfy {
		line.MatchNumber = &p.MatchNumber
	}
	return json.Marshal(line)
}

// The values of methods_default.
const (
	DefaultNone = "none" // an empty answer is an answer
	DefaultLast = "last" // it takes push or sms if that is what worked last
)

// The words that a person may type at the first question instead of a code.
const (
	WordPush  = "push"
	WordPhone = "phone" // a call, with duo
	WordSMS   = "sms"
)

// Offered lists the words that the first question offers beside a code, in the order of methods: of what methods names and a provider
// is there for. The rules do not count, so that the words are the same for everybody and tell nobody's methods. After says that the
// password stands before the question: right, or wrong at a decoy. Without it nothing is sent, and nothing is offered.
func (c *Config) Offered(after bool) []string {
	if c == nil || !after {
		return nil
	}
	var words []string
	for _, method := range c.Methods {
		switch {
		case method == "push" && c.Push != nil && c.Push.Provider == ProviderDuo:
			words = append(words, WordPush, WordPhone)
		case method == "push" && c.Push != nil:
			words = append(words, WordPush)
		case method == "sms" && c.SMS != nil:
			words = append(words, WordSMS)
		}
	}
	return words
}

// Sends reports whether a method reaches phones here: it is push or sms, methods names it, and a provider is there for it.
func (c *Config) Sends(method string) bool {
	return slices.Contains(c.Offered(true), method)
}
