package fakes

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// duoWindow is how far off the clock of a request may be.
const duoWindow = 5 * time.Minute

// signed looks at the signature of a request and gives its parameters, or the code and message of what is wrong. It is written from Duo's
// description (https://duo.com/docs/authapi#authentication), byte by byte, so that a slip of a client's library is not made here too.
func (d *Duo) signed(r *http.Request, body string) (params url.Values, code int, wrong string) {
	query := body
	if r.Method == http.MethodGet {
		query = r.URL.RawQuery
		if body != "" {
			d.fault("a GET with a body")
		}
	} else if given := r.Header.Get("Content-Type"); given != "application/x-www-form-urlencoded" {
		d.fault("Content-Type " + given)
	}
	params, err := url.ParseQuery(query)
	if err != nil {
		d.fault("parameters: " + err.Error())
		return nil, 40002, "Invalid request parameters"
	}
	user, signature, ok := r.BasicAuth()
	if !ok {
		return nil, 40101, "Missing request credentials"
	}
	if user != DuoIntegrationKey {
		return nil, 40102, "Invalid integration key in request credentials"
	}
	date := r.Header.Get("Date")
	lines := date + "\n" + r.Method + "\n" + DuoHost + "\n" + r.URL.Path + "\n" + duoCanonical(params)
	mac := hmac.New(sha512.New, []byte(DuoSecretKey))
	mac.Write([]byte(lines))
	if hex.EncodeToString(mac.Sum(nil)) != signature {
		return nil, 40103, "Invalid signature in request credentials"
	}
	at, err := time.Parse("Mon, 02 Jan 2006 15:04:05 -0700", date)
	if err != nil {
		return nil, 40104, "Missing request timestamp"
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if off := time.Now().Add(d.off).Sub(at); off.Abs() > duoWindow {
		return nil, 40105, "Bad request timestamp"
	}
	return params, 0, ""
}

// duoCanonical sorts and escapes parameters.
func duoCanonical(params url.Values) string {
	var pairs []string
	for name, values := range params {
		for _, value := range values {
			pairs = append(pairs, duoEscape(name)+"="+duoEscape(value))
		}
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "&")
}

func duoEscape(text string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
