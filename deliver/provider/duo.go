package provider

import (
	"context"

	"twokey/deliver"
)

func (j *job) duo(context.Context) (deliver.Answer, error) {
	return deliver.Answer{}, &failure{problem: deliver.ProblemSettings, detail: "duo cannot be used yet"}
}
