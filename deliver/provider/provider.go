// Package provider has the clients of the services that carry a message to a phone. Only twokey-notify links it, which runs as a user
// that owns nothing: what a service answers is a stranger's text until it has been read here.
//
// What holds for all of them, each with a test of the same name (web.go has the rules of the web):
//
//   - MUST say what went wrong in one of deliver's words, and in one clean line that holds nothing secret. Attack: a service that
//     repeats the token, the code or the number that it was sent, and the line ends in a log that many read; or escape
//     sequences in it, and it ends on a terminal.
//   - MUST end with the request's times, whatever the service does or does not.
package provider

import (
	"context"
	"errors"

	"twokey/deliver"
)

// Run does what a request asks for and returns the last answer. Those before it go to say, whose error ends the run. The end of ctx is the end
// of the whole request.
func Run(ctx context.Context, req *deliver.Request, say func(deliver.Answer) error) deliver.Answer {
	return run(ctx, network{}, req, say)
}

func run(ctx context.Context, net network, req *deliver.Request, say func(deliver.Answer) error) deliver.Answer {
	j := &job{req: req, net: net}
	j.say = func(a deliver.Answer) error { return say(j.clean(a)) }
	answer, err := j.do(ctx)
	if err != nil {
		answer = failed(err)
	}
	return j.clean(answer)
}

// job is one request being done.
type job struct {
	req *deliver.Request
	net network
	say func(deliver.Answer) error // what is not the last answer
}

func (j *job) do(ctx context.Context) (deliver.Answer, error) {
	switch j.req.Provider() {
	case "twilio":
		return j.twilio(ctx)
	case "command":
		return j.command(ctx)
	case "smtp":
		return j.smtp(ctx)
	case "ntfy":
		return j.ntfy(ctx)
	case "duo":
		return j.duo(ctx)
	}
	return describe(j.req.Number), nil
}

// failure is an error that knows its word.
type failure struct {
	problem deliver.Problem
	detail  string
	advice  string
	answer  deliver.Answer // further fields: Retry, ID, Status, EnrollURL
}

// Error is the problem and what there is to say of it.
func (f *failure) Error() string { return string(f.problem) + ": " + f.detail }

// failed makes an answer of an error. One that has no word of its own is of the connection.
func failed(err error) deliver.Answer {
	f := new(failure)
	if !errors.As(err, &f) {
		f = connection(err)
	}
	a := f.answer
	a.State, a.Problem, a.Detail, a.Advice = deliver.StateFailed, f.problem, f.detail, f.advice
	return a
}
