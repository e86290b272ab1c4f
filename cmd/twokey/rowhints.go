package main

import (
	"errors"
	"fmt"
	"strings"

	"twokey/enroll"
	"twokey/enroll/batch"
	"twokey/factor"
)

// allowShortHint is the next step where a secret is too short.
const allowShortHint = "if it is that of an old token: --allow-short takes secrets of 80 bits and more"

// rowHints are the next steps for rows of a list where it is not the list that has to be mended: each once, however many the rows are.
func rowHints(rows []error) []string {
	var hints []string
	var stateless []string
	short := false
	for _, err := range rows {
		short = short || errors.Is(err, factor.ErrShortSecret)
		if errors.Is(err, enroll.ErrNoState) {
			stateless = append(stateless, userOfRow(err))
		}
	}
	if short {
		hints = append(hints, allowShortHint)
	}
	if len(stateless) > 0 {
		hints = append(hints, adoptHint(stateless))
	}
	return hints
}

// adoptHint names as many users as can be typed.
func adoptHint(users []string) string {
	names := strings.Join(users, " ")
	if len(users) > 8 {
		names = "USER…"
	}
	return fmt.Sprintf("if their files came from elsewhere, or they are the same people on a restored host: twokey adopt %s", names)
}

func userOfRow(err error) string {
	var row *batch.RowError
	var who *aboutUser
	switch {
	case errors.As(err, &row):
		return row.Name
	case errors.As(err, &who):
		return who.user
	}
	return ""
}
