package provider

import (
	"context"

	"twokey/deliver"
)

func (j *job) command(context.Context) (deliver.Answer, error) {
	return deliver.Answer{}, &failure{problem: deliver.ProblemSettings, detail: "command cannot be used yet"}
}
