package deliver

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Encode gives the request as one line. It refuses (ErrRequest) what DecodeRequest would refuse.
func (r *Request) Encode() ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	return encode(r, ErrRequest)
}

// DecodeRequest reads one line with its line feed.
func DecodeRequest(line []byte) (*Request, error) {
	r := new(Request)
	if err := decode(line, r, ErrRequest); err != nil {
		return nil, err
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	return r, nil
}

// Encode gives the answer as one line. It refuses (ErrAnswer) what DecodeAnswer would refuse.
func (a Answer) Encode() ([]byte, error) {
	if err := a.check(); err != nil {
		return nil, err
	}
	return encode(a, ErrAnswer)
}

// DecodeAnswer reads one line with its line feed.
func DecodeAnswer(line []byte) (Answer, error) {
	var a Answer
	if err := decode(line, &a, ErrAnswer); err != nil {
		return Answer{}, err
	}
	if err := a.check(); err != nil {
		return Answer{}, err
	}
	return a, nil
}

func encode(v any, wrong error) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("%w: %w", wrong, err)
	}
	if b.Len() > MaxLine {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", wrong, b.Len(), MaxLine)
	}
	return b.Bytes(), nil
}

// decode takes a line only if encode would give the same one: so unknown, repeated and misspelt fields, blanks and a second value
// are refused in one comparison. Errors do not repeat the line: it holds credentials.
func decode(line []byte, into any, wrong error) error {
	if len(line) > MaxLine {
		return fmt.Errorf("%w: longer than %d bytes", wrong, MaxLine)
	}
	if err := json.Unmarshal(line, into); err != nil {
		return fmt.Errorf("%w: not the JSON of one", wrong)
	}
	again, err := encode(into, wrong)
	if err != nil {
		return err
	}
	if !bytes.Equal(line, again) {
		return fmt.Errorf("%w: not written as it should be", wrong)
	}
	return nil
}
