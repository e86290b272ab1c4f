// Command twokey-notify hands one message to a service on the network and says what has become of it. It is the only program of a login
// that touches the network, and has nothing to lose: it runs as a user that owns nothing, without environment and capabilities, and gets
// what it must know in one line on standard input (package deliver). It never logs and opens no file of twokey.
//
// The end of its input, the end of its time, and the end of its answer end it.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"twokey/deliver"
	"twokey/deliver/provider"
	"twokey/deliver/sandbox"
)

const (
	readBudget = 10 * time.Second // until the request is there
	grace      = time.Second      // to say the last answer when the time is over
	exitFault  = 2                // no answer was given
)

func main() {
	if err := sandbox.Protect(); err != nil {
		fault(err)
	}
	// Whatever hangs, nobody has to end this process.
	budget := time.AfterFunc(readBudget, func() { os.Exit(exitFault) })
	input := bufio.NewReaderSize(os.Stdin, deliver.MaxLine)
	line, err := input.ReadSlice('\n')
	if err != nil {
		fault(errors.New("no request"))
	}
	req, err := deliver.DecodeRequest(line)
	if err != nil {
		fault(err)
	}
	budget.Reset(req.Limit() + grace)
	// A program that sends messages may do what its user may: it gets no seal, which it would inherit.
	if req.Command == nil {
		if err := sandbox.Seal(); err != nil {
			fault(err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), req.Limit())
	go endWithInput(input, cancel)
	if err := say(provider.Run(ctx, req, say)); err != nil {
		fault(err)
	}
}

// endWithInput ends everything when nobody waits for the answer any more: the other end is closed, by will or by death.
func endWithInput(input *bufio.Reader, cancel context.CancelFunc) {
	for {
		// What comes after the request is nothing to us.
		if _, err := input.Discard(1); err != nil {
			break
		}
	}
	cancel()
	time.Sleep(grace)
	os.Exit(exitFault)
}

func say(a deliver.Answer) error {
	line, err := a.Encode()
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(line)
	return err
}

// fault ends the run without an answer. The login has no ear for standard error; whoever starts the program by hand has.
func fault(err error) {
	fmt.Fprintln(os.Stderr, "twokey-notify: error:", err)
	os.Exit(exitFault)
}
