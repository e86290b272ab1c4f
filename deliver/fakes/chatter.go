package fakes

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// chatter is an error message that repeats everything that was sent, each also in another spelling, between escape sequences.
func chatter(r *http.Request, body string) string {
	authorization := r.Header.Get("Authorization")
	_, credentials, _ := strings.Cut(authorization, " ")
	if user, password, ok := r.BasicAuth(); ok {
		credentials = user + ":" + password
	}
	text := strings.Join([]string{
		"\x1b[2J\x1b]0;owned\x07", authorization, "\x9b31m", credentials, "\r\n", base64.StdEncoding.EncodeToString([]byte(credentials)), "\u202e", r.URL.Path, body, "\x00",
	}, " ")
	message, err := json.Marshal(map[string]any{"code": 40000, "http": 400, "error": text, "message": text})
	if err != nil {
		panic(fmt.Sprintf("a message cannot be written: %v", err))
	}
	return string(message)
}
