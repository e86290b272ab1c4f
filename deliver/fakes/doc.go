// Package fakes has servers on loopback that speak the protocols of the services that carry messages to phones, for the tests of every
// package: the program under test may be another process, which gets the address by its configuration. Each server looks at what it receives as the
// real one does, and fails the test at its end if something was not as the service wants it. Each has bad days.
package fakes

import (
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// Day is what a server does instead of its work.
type Day string

const (
	Good       Day = ""
	Slow       Day = "slow"       // takes the request and never answers
	Half       Day = "half"       // announces more than it sends
	Reset      Day = "reset"      // breaks the connection off
	HTML       Day = "html"       // status 200 and the login page of a hotel
	Huge       Day = "huge"       // 5 MB of JSON
	Redirect   Day = "redirect"   // to a place that counts its visitors, see Redirected
	WrongType  Day = "wrong type" // good JSON that says it is text
	Broken     Day = "broken"     // status 500
	Malformed  Day = "malformed"  // JSON that ends too soon
	Busy       Day = "busy"       // status 429, to come again in 17 seconds
	Chatty     Day = "chatty"     // status 400 with a message that repeats all it was sent, in escape sequences
	BrokenPage Day = "web page"   // status 502 and a page of a proxy
)

// Days are all the bad ones.
var Days = []Day{Slow, Half, Reset, HTML, Huge, Redirect, WrongType, Broken, Malformed, Busy, Chatty, BrokenPage}

// weather is the part that all servers have: their days, and what was wrong with what they got.
type weather struct {
	mu         sync.Mutex
	days       map[string]Day // by what was asked for
	redirected int
	faults     []string
	closed     chan struct{} // the test is over
}

func newWeather() *weather { return &weather{days: map[string]Day{}, closed: make(chan struct{})} }

// SetDay makes a day of one kind of request; "" for all. The kinds are those of the server's method of the same name.
func (w *weather) SetDay(kind string, day Day) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.days[kind] = day
}

// Redirected is how many have followed a redirect.
func (w *weather) Redirected() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.redirected
}

func (w *weather) fault(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = append(w.faults, text)
}

// report fails the test for what was wrong.
func (w *weather) report(t testing.TB, name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range w.faults {
		t.Errorf("%s got a malformed request: %s", name, f)
	}
}

// spoil answers as the day wants it, and reports whether it has.
func (w *weather) spoil(rw http.ResponseWriter, r *http.Request, kind, body string) bool {
	w.mu.Lock()
	day := w.days[kind]
	if day == Good {
		day = w.days[""]
	}
	if r.URL.Path == "/elsewhere" {
		w.redirected++
	}
	w.mu.Unlock()
	switch day {
	case Good:
		return r.URL.Path == "/elsewhere"
	case Slow:
		select {
		case <-r.Context().Done():
		case <-w.closed:
		}
	case Half:
		raw(rw, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{\"id\":\"a", false)
	case Reset:
		raw(rw, "", true)
	case HTML:
		write(rw, 200, "text/html; charset=utf-8", "<!DOCTYPE html><html><body>Welcome to our hotel. Room number?</body></html>")
	case Huge:
		write(rw, 200, "application/json", `{"id":"`+strings.Repeat("a", 5<<20)+`"}`)
	case Redirect:
		rw.Header().Set("Location", "/elsewhere")
		write(rw, 302, "application/json", "{}")
	case WrongType:
		write(rw, 200, "text/plain", `{"id":"a","event":"open","healthy":true}`)
	case Broken:
		write(rw, 500, "application/json", `{"code":50001,"http":500,"error":"internal server error"}`)
	case Malformed:
		write(rw, 200, "application/json", `{"id":"a`)
	case Busy:
		rw.Header().Set("Retry-After", "17")
		write(rw, 429, "application/json", `{"code":42901,"http":429,"error":"limit reached: too many requests, please be nice"}`)
	case Chatty:
		write(rw, 400, "application/json", chatter(r, body))
	case BrokenPage:
		write(rw, 502, "text/html", "<html><h1>Bad Gateway</h1>\x1b]0;owned\x07</html>")
	}
	return true
}

func write(rw http.ResponseWriter, status int, contentType, body string) {
	rw.Header().Set("Content-Type", contentType)
	rw.WriteHeader(status)
	rw.Write([]byte(body)) //nolint:errcheck // whoever asked may be gone, as in life
}

// raw takes the connection from the server, sends bytes and closes it, or resets it.
func raw(rw http.ResponseWriter, bytes string, reset bool) {
	hijacker, ok := rw.(http.Hijacker)
	if !ok {
		panic("this server's connections cannot be taken")
	}
	conn, _, err := hijacker.Hijack()
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	if tcp, ok := conn.(*net.TCPConn); ok && reset {
		if err := tcp.SetLinger(0); err != nil {
			panic(err)
		}
	}
	if _, err := conn.Write([]byte(bytes)); err != nil {
		return // gone
	}
}
