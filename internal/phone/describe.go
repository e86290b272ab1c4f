package phone

import (
	"github.com/nyaruka/phonenumbers"
	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

// Place is where a number belongs.
type Place struct {
	Region  string // ISO 3166-1 alpha-2: GB; "001" for one of no country, such as of a satellite network
	Country string // in English: United Kingdom
}

// Describe says which country a number is of. The error is Check's.
func Describe(number string) (Place, error) {
	if err := Check(number); err != nil {
		return Place{}, err
	}
	parsed, err := phonenumbers.Parse(number, "")
	if err != nil {
		return Place{}, ErrNumber
	}
	region := phonenumbers.GetRegionCodeForNumber(parsed)
	parsedRegion, err := language.ParseRegion(region)
	if err != nil {
		return Place{}, ErrNumber
	}
	return Place{region, display.English.Regions().Name(parsedRegion)}, nil
}
