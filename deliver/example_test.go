package deliver_test

import (
	"fmt"
	"time"

	"twokey/deliver"
)

// The request and the answers of the package comment.
func Example() {
	request := deliver.Request{
		Kind: deliver.KindText, Connect: 3 * time.Second, Timeout: 8 * time.Second,
		Text:    &deliver.Text{Number: "+15005550006", Message: "Your code is: 123456"},
		Command: &deliver.Command{Argv: []string{"/usr/local/bin/send-text"}},
	}
	line, err := request.Encode()
	fmt.Print(string(line), err, "\n")
	for _, answer := range []deliver.Answer{
		{State: deliver.StateSent},
		{State: deliver.StateFailed, Problem: deliver.ProblemTimeout, Detail: "no answer from the server in time"},
	} {
		line, err := answer.Encode()
		fmt.Print(string(line), err, "\n")
	}
	// Output:
	// {"kind":"text","connect":3000000000,"timeout":8000000000,"text":{"number":"+15005550006","message":"Your code is: 123456"},"command":{"argv":["/usr/local/bin/send-text"]}}
	// <nil>
	// {"state":"sent"}
	// <nil>
	// {"state":"failed","problem":"timeout","detail":"no answer from the server in time"}
	// <nil>
}
