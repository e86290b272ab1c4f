package provider

import (
	"twokey/deliver"
	"twokey/internal/phone"
)

// describe says which country a number is of. The numbering plans are megabytes that the login helper must not link.
func describe(number string) deliver.Answer {
	n := &deliver.Number{}
	if d, err := phone.Describe(number); err == nil {
		*n = deliver.Number{Valid: true, Region: d.Region, Country: d.Country}
	}
	return deliver.Answer{State: deliver.StateOK, Number: n}
}
