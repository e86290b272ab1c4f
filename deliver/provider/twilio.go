package provider

import (
	"context"

	"twokey/deliver"
)

func (j *job) twilio(context.Context) (deliver.Answer, error) {
	return deliver.Answer{}, &failure{problem: deliver.ProblemSettings, detail: "twilio cannot be used yet"}
}
