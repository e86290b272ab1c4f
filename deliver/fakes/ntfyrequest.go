package fakes

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// ntfyPublication is what may stand in a publication as JSON, with its types.
type ntfyPublication struct {
	Topic    string   `json:"topic"`
	Title    string   `json:"title"`
	Message  string   `json:"message"`
	Priority int      `json:"priority"`
	Tags     []string `json:"tags"`
	Click    string   `json:"click"`
	Icon     string   `json:"icon"`
	Actions  []Action `json:"actions"`
	Attach   string   `json:"attach"`
	Markdown bool     `json:"markdown"`
	Filename string   `json:"filename"`
	Email    string   `json:"email"`
	Call     string   `json:"call"`
	Cache    string   `json:"cache"`
	Firebase string   `json:"firebase"`
	Delay    string   `json:"delay"`
}

var topicName = regexp.MustCompile(`^[-_A-Za-z0-9]{1,64}$`)

// publish takes a message as JSON.
func (n *Ntfy) publish(w http.ResponseWriter, r *http.Request, user string, body []byte) {
	var p ntfyPublication
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields() // the real one lets them pass: then something that we mean is not done
	if err := decoder.Decode(&p); err != nil {
		n.fault("publish: " + err.Error())
		ntfyError(w, 400, 40017, "invalid request: request body must be message JSON")
		return
	}
	code, wrong := p.check(len(body))
	if code != 0 {
		n.fault("publish: " + wrong)
		ntfyError(w, code/100, code, wrong)
		return
	}
	m := Message{Topic: p.Topic, Title: p.Title, Message: p.Message, Priority: p.Priority, Tags: p.Tags, Actions: p.Actions}
	for i := range m.Actions {
		m.Actions[i].ID = newMessage("", "").ID[:10]
	}
	n.take(w, r, user, m, p.Cache == "no")
}

// check gives the code that the real server has for what is wrong, 0 for nothing.
func (p *ntfyPublication) check(size int) (code int, wrong string) {
	switch {
	case size > 16384:
		return 41303, "JSON body too large"
	case !topicName.MatchString(p.Topic):
		return 40009, "invalid request: topic invalid"
	case p.Priority < 0 || p.Priority > 5:
		return 40007, "invalid priority parameter"
	case len(p.Message) > 4096:
		return 40014, "invalid request: attachments not allowed"
	case !slices.Contains([]string{"", "yes", "no"}, p.Cache) || !slices.Contains([]string{"", "yes", "no"}, p.Firebase):
		return 40000, "cache and firebase are yes or no"
	case len(p.Actions) > 3:
		return 40018, "invalid request: actions invalid, only 3 actions allowed"
	}
	for _, a := range p.Actions {
		if wrong := a.wrong(); wrong != "" {
			return 40018, "invalid request: actions invalid, " + wrong
		}
	}
	return 0, ""
}

func (a *Action) wrong() string {
	u, err := url.Parse(a.URL)
	switch {
	case a.Action != "http":
		return fmt.Sprintf("action %q: twokey has http only", a.Action)
	case a.Label == "":
		return "parameter 'label' is required"
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return "parameter 'url' is required for action 'http'"
	case a.Method != "POST":
		return "method " + a.Method + ": twokey answers by POST"
	case a.Body == "" || strings.TrimSpace(a.Body) != a.Body:
		return "the body would not arrive as it is"
	}
	return ""
}

func discard() *log.Logger { return log.New(io.Discard, "", 0) }
