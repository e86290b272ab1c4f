package policy

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"
)

// The providers of SMS.
const (
	ProviderTwilio  = "twilio"  // Twilio's Messages API over HTTPS
	ProviderCommand = "command" // a program of the host: number, line feed and text on its standard input
	ProviderSMTP    = "smtp"    // a mail to a gateway
)

// SMSProviders lists the providers of SMS.
func SMSProviders() []string { return []string{ProviderTwilio, ProviderCommand, ProviderSMTP} }

// DefaultMessage is the text of an SMS where the configuration has none.
const DefaultMessage = "Your %ISSUER% verification code is: %CODE%"

// DefaultTwilioURL is Twilio's API.
const DefaultTwilioURL = "https://api.twilio.com"

// SMS is how codes get to phones as text messages. What belongs to another provider is empty. One from [Parse] has all its defaults
// filled in; [NewSMS] gives them alone.
type SMS struct {
	Provider string // one of [SMSProviders]

	// twilio. There is AuthTokenFile alone, or APIKeySID with APIKeySecretFile; and Sender or MessagingServiceSID, never both.
	AccountSID          string // "AC" and 32 hexadecimal digits
	AuthTokenFile       string // a file in Paths.Credentials
	APIKeySID           string // "SK" and 32 hexadecimal digits
	APIKeySecretFile    string // a file in Paths.Credentials
	Sender              string // a number in E.164, or an alphanumeric sender of 1 to 11 characters with a letter among them
	MessagingServiceSID string // "MG" and 32 hexadecimal digits
	URL                 string // https://host[:port], or http:// to a loopback address

	Command []string // command: a program with its absolute path, and its arguments, 1 to 32 in all

	// smtp. User and PasswordFile stand together or not at all.
	Server       string // host:port
	From         string // address
	To           string // address with %NUMBER% (the number's digits, without its plus), %USER% or both in it
	User         string // "": without a login
	PasswordFile string // a file in Paths.Credentials

	Message  string        // has %CODE% in it, and %ISSUER%, %HOST%, %MINUTES% where they are wanted; at most 320 characters; see [SMS.Text]
	Digits   int           // of a code, 6 to 10
	ValidFor time.Duration // of a code, whole seconds, 1 to 15 minutes
	PerHour  int           // messages that the host sends in an hour at most, to all users together, 1 to 10000
	Connect  time.Duration // until a connection stands, whole seconds, 1 to 10, not above Timeout
	Timeout  time.Duration // for the whole request, whole seconds, 2 to 30
}

// NewSMS gives what counts for a provider where nothing is said.
func NewSMS(provider string) SMS {
	s := SMS{
		Provider: provider, Message: DefaultMessage, Digits: 6, ValidFor: 5 * time.Minute, PerHour: 100,
		Connect: 3 * time.Second, Timeout: 8 * time.Second,
	}
	switch provider {
	case ProviderTwilio:
		s.URL = DefaultTwilioURL
	case ProviderSMTP:
		s.Server = "localhost:25"
	}
	return s
}

func (s *SMS) clone() *SMS {
	if s == nil {
		return nil
	}
	copied := *s
	copied.Command = slices.Clone(s.Command)
	return &copied
}

// Text fills the message in: the code, the issuer, the host's name and the whole minutes for which the code is good. What stands in
// these is not filled in again, and what cannot be shown becomes a question mark.
func (s *SMS) Text(code, issuer, host string) string {
	minutes := strconv.Itoa(int(s.ValidFor / time.Minute))
	return fill(s.Message, []string{"CODE", code, "ISSUER", issuer, "HOST", host, "MINUTES", minutes})
}

// Credentials names the files of Paths.Credentials that the provider needs.
func (s *SMS) Credentials() []string {
	return notEmpty(s.AuthTokenFile, s.APIKeySecretFile, s.PasswordFile)
}

func notEmpty(names ...string) []string {
	var all []string
	for _, name := range names {
		if name != "" {
			all = append(all, name)
		}
	}
	return all
}

// smsLine is SMS as it is written.
type smsLine struct {
	Provider            string   `json:"provider"`
	AccountSID          string   `json:"account_sid,omitempty"`
	AuthTokenFile       string   `json:"auth_token_file,omitempty"`
	APIKeySID           string   `json:"api_key_sid,omitempty"`
	APIKeySecretFile    string   `json:"api_key_secret_file,omitempty"`
	Sender              string   `json:"sender,omitempty"`
	MessagingServiceSID string   `json:"messaging_service_sid,omitempty"`
	URL                 string   `json:"url,omitempty"`
	Command             []string `json:"command,omitempty"`
	Server              string   `json:"server,omitempty"`
	From                string   `json:"from,omitempty"`
	To                  string   `json:"to,omitempty"`
	User                string   `json:"user,omitempty"`
	PasswordFile        string   `json:"password_file,omitempty"`
	Message             string   `json:"message"`
	Digits              int      `json:"digits"`
	ValidFor            string   `json:"valid_for"`
	PerHour             int      `json:"per_hour"`
	Connect             string   `json:"connect"`
	Timeout             string   `json:"timeout"`
}

// MarshalJSON writes the keys of the configuration.
func (s SMS) MarshalJSON() ([]byte, error) {
	return json.Marshal(smsLine{s.Provider, s.AccountSID, s.AuthTokenFile, s.APIKeySID, s.APIKeySecretFile, s.Sender, s.MessagingServiceSID,
		s.URL, s.Command, s.Server, s.From, s.To, s.User, s.PasswordFile,
		s.Message, s.Digits, seconds(s.ValidFor), s.PerHour, seconds(s.Connect), seconds(s.Timeout)})
}
