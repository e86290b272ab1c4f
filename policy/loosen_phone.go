package policy

// smsLets reports whether a key of sms that is another than before may let somebody in with less. A section that is new is named once,
// by its provider. Who carries the messages can read the codes, so another one counts.
func smsLets(key string, was, is *SMS) bool {
	switch {
	case is == nil:
		return false
	case was == nil:
		return key == "provider"
	}
	switch key {
	case "message", "connect", "timeout", "per_hour", // texts and limits of what is sent, not of what is right
		"sender", "from", "user", "auth_token_file", "api_key_secret_file", "password_file": // how the same carrier is spoken to
		return false
	case "digits":
		return is.Digits < was.Digits
	case "valid_for":
		return is.ValidFor > was.ValidFor
	}
	return true
}

// pushLets is smsLets for push.
func pushLets(key string, was, is *Push) bool {
	switch {
	case is == nil:
		return false
	case was == nil:
		return key == "provider"
	}
	switch key {
	case "wait", "connect", "timeout", "token_file", "answer_token_file", "secret_key_file":
		return false
	case "match_number":
		return was.MatchNumber && !is.MatchNumber
	}
	return true
}
