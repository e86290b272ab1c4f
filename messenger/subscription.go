package messenger

import (
	"strings"

	"twokey/factor"
	"twokey/policy"
)

// Subscription is the topic of a device of push with ntfy, and the address by which a phone subscribes to it; both "" with another
// provider. The app opens such addresses (https://docs.ntfy.sh/subscribe/phone/, "ntfy:// links"). Whoever knows the topic, and may read on
// the server, sees what the phone is asked.
func (s Settings) Subscription(secret []byte) (topic, address string) {
	push := s.Policy.Push
	if push == nil || push.Provider != policy.ProviderNtfy {
		return "", ""
	}
	topic = factor.NtfyTopic(secret)
	if host, plain := strings.CutPrefix(push.URL, "http://"); plain {
		return topic, "ntfy://" + host + "/" + topic + "?secure=false"
	}
	return topic, "ntfy://" + strings.TrimPrefix(push.URL, "https://") + "/" + topic
}
