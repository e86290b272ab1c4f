package provider

import (
	"context"

	"twokey/deliver"
)

func (j *job) smtp(context.Context) (deliver.Answer, error) {
	return deliver.Answer{}, &failure{problem: deliver.ProblemSettings, detail: "smtp cannot be used yet"}
}
