package messenger

import (
	"slices"
	"testing"

	"twokey/policy"
)

func TestThePhoneOpensTheTopicByItsAddress(t *testing.T) {
	secret := slices.Repeat([]byte{7}, 32)
	topic := "tk-"
	for url, want := range map[string]string{
		"https://ntfy.example.org":      "ntfy://ntfy.example.org/",
		"https://ntfy.example.org:8443": "ntfy://ntfy.example.org:8443/",
		"http://127.0.0.1:2586":         "ntfy://127.0.0.1:2586/",
	} {
		s := Settings{Policy: &policy.Config{Push: &policy.Push{Provider: policy.ProviderNtfy, URL: url}}}
		got, address := s.Subscription(secret)
		want += got
		if url[:5] == "http:" {
			want += "?secure=false"
		}
		if len(got) != len(topic)+32 || got[:3] != topic || address != want {
			t.Errorf("%s: %q, %q, want %q", url, got, address, want)
		}
	}
	for name, push := range map[string]*policy.Push{"no provider": nil, "duo": {Provider: policy.ProviderDuo}} {
		if topic, address := (Settings{Policy: &policy.Config{Push: push}}).Subscription(secret); topic+address != "" {
			t.Errorf("%s: %q, %q", name, topic, address)
		}
	}
}
