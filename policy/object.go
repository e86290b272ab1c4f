package policy

import (
	"encoding/json"
	"strconv"
)

// object writes one object of JSON, key after key, in the same bytes as encoding/json. That finds out what a type is made of before it writes
// the first value of it, which for a whole policy takes longer than all the rest of it, at every login. What few configurations have is left to
// it (value).
type object struct{ b []byte }

// key begins a field.
func (o *object) key(key string) {
	if o.b[len(o.b)-1] != '{' {
		o.b = append(o.b, ',')
	}
	o.string(key)
	o.b = append(o.b, ':')
}

func (o *object) text(key, text string) {
	o.key(key)
	o.string(text)
}

func (o *object) textIfAny(key, text string) {
	if text != "" {
		o.text(key, text)
	}
}

func (o *object) number(key string, n int) {
	o.key(key)
	o.b = strconv.AppendInt(o.b, int64(n), 10)
}

func (o *object) truth(key string, is bool) {
	o.key(key)
	o.b = strconv.AppendBool(o.b, is)
}

// value is for whatever has no function here.
func (o *object) value(key string, v any) {
	o.key(key)
	o.json(v)
}

func (o *object) json(v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic("policy: strings and numbers did not become JSON: " + err.Error()) // unreachable
	}
	o.b = append(o.b, b...)
}

// table is an object in this one.
func (o *object) table(key string, write func()) {
	o.key(key)
	o.b = append(o.b, '{')
	write()
	o.b = append(o.b, '}')
}

// list is an array of n objects.
func (o *object) list(key string, n int, write func(i int)) {
	o.key(key)
	for i := range n {
		o.b = append(o.b, "[,"[min(i, 1)], '{')
		write(i)
		o.b = append(o.b, '}')
	}
	o.b = append(o.b, ']')
}

func (o *object) textsIfAny(key string, texts []string) {
	if len(texts) > 0 {
		o.texts(key, texts)
	}
}

// texts is an array; nil is null.
func (o *object) texts(key string, texts []string) {
	o.key(key)
	if texts == nil {
		o.b = append(o.b, "null"...)
		return
	}
	o.b = append(o.b, '[')
	for i, text := range texts {
		if i > 0 {
			o.b = append(o.b, ',')
		}
		o.string(text)
	}
	o.b = append(o.b, ']')
}

// string writes what stands for itself, and leaves the rest to encoding/json.
func (o *object) string(text string) {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			o.json(text)
			return
		}
	}
	o.b = append(append(append(o.b, '"'), text...), '"')
}
