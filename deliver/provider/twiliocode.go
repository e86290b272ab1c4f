package provider

import (
	"fmt"
	"strconv"

	api "github.com/twilio/twilio-go/rest/api/v2010"

	"twokey/deliver"
)

// What the administrator can do. Twilio says what is wrong; these say where it is mended.
const (
	adviceAccount     = "see the account at https://console.twilio.com; support: https://help.twilio.com"
	adviceCredentials = "see account SID, auth token and API keys at https://console.twilio.com, and store the right one with twokey sms setup"
	adviceNumber      = "give the user a mobile number: twokey device edit USER DEVICE --phone NUMBER"
	adviceUnverified  = "a trial account sends to verified numbers only: verify them at " +
		"https://console.twilio.com/us1/develop/phone-numbers/manage/verified, or upgrade the account"
	adviceRegion  = "allow the country at https://console.twilio.com/us1/develop/sms/settings/geo-permissions"
	adviceSender  = "take a number or messaging service of this account: https://console.twilio.com/us1/develop/phone-numbers/manage/incoming"
	adviceBlocked = "the person has answered STOP, and can take that back by sending START to the number that the codes come from"
	adviceLimit   = "send less, or have the limit raised: https://console.twilio.com; support: https://help.twilio.com"
	adviceCountry = "this sender cannot reach that number: take another for that country, https://www.twilio.com/en-us/guidelines/sms"
)

// twilioCodes are what Twilio's codes (https://www.twilio.com/docs/api/errors) mean here.
var twilioCodes = map[string]struct {
	problem deliver.Problem
	advice  string
}{
	"14107": {deliver.ProblemLimit, adviceLimit},             // rate of messages
	"20003": {deliver.ProblemCredentials, adviceCredentials}, // authenticate
	"20005": {deliver.ProblemRefused, adviceAccount},         // account not active
	"20008": {deliver.ProblemCredentials, adviceCredentials}, // test credentials
	"20404": {deliver.ProblemCredentials, adviceCredentials}, // no such account
	"20429": {deliver.ProblemLimit, adviceLimit},             // requests
	"21211": {deliver.ProblemNumber, adviceNumber},           // To is not valid
	"21212": {deliver.ProblemRefused, adviceSender},          // From is not valid
	"21266": {deliver.ProblemNumber, adviceNumber},           // To is From
	"21267": {deliver.ProblemRefused, adviceSender},          // alphanumeric sender not allowed
	"21408": {deliver.ProblemRegion, adviceRegion},
	"21603": {deliver.ProblemRefused, adviceSender}, // no From
	"21606": {deliver.ProblemRefused, adviceSender}, // From cannot send texts
	"21608": {deliver.ProblemUnverified, adviceUnverified},
	"21610": {deliver.ProblemBlocked, adviceBlocked},
	"21611": {deliver.ProblemLimit, adviceLimit},     // queue of the sender is full
	"21612": {deliver.ProblemRegion, adviceCountry},  // To cannot be reached from this From
	"21614": {deliver.ProblemNumber, adviceNumber},   // To is not mobile
	"21659": {deliver.ProblemRefused, adviceSender},  // From is not Twilio's
	"21660": {deliver.ProblemRefused, adviceSender},  // From is another account's
	"21701": {deliver.ProblemRefused, adviceSender},  // no such messaging service
	"21703": {deliver.ProblemRefused, adviceSender},  // messaging service without numbers
	"21704": {deliver.ProblemRefused, adviceSender},  // the same
	"30002": {deliver.ProblemRefused, adviceAccount}, // account suspended
	"30003": {deliver.ProblemNumber, adviceNumber},   // telephone cannot be reached
	"30004": {deliver.ProblemBlocked, adviceBlocked},
	"30005": {deliver.ProblemNumber, adviceNumber},   // unknown number
	"30006": {deliver.ProblemNumber, adviceNumber},   // landline
	"30007": {deliver.ProblemRefused, adviceAccount}, // filtered as spam
	"63038": {deliver.ProblemLimit, adviceLimit},     // a day's messages
}

// twilioCode makes the word of a refusal more exact by Twilio's code, and says what can be done. A refusal with a web page is not Twilio's.
func twilioCode(f *failure) *failure {
	known, ok := twilioCodes[f.answer.Status]
	switch {
	case ok:
		f.problem, f.advice = known.problem, known.advice
	case f.advice != "":
	case f.problem == deliver.ProblemCredentials:
		f.advice = adviceCredentials
	case f.problem == deliver.ProblemLimit:
		f.advice = adviceLimit
	case f.problem == deliver.ProblemServer:
		f.advice = "see whether Twilio is well: https://status.twilio.com"
	}
	return f
}

// twilioUndelivered is a message that was taken and has failed at once.
func twilioUndelivered(m *api.ApiV2010Message) error {
	f := &failure{problem: deliver.ProblemRefused, detail: "the message is " + said(m.Status), advice: adviceAccount}
	f.answer.ID, f.answer.Status = said(m.Sid), said(m.Status)
	if m.ErrorCode == nil {
		return f
	}
	code := strconv.Itoa(*m.ErrorCode)
	if why := said(m.ErrorMessage); why != "" {
		f.detail += ": " + why
	}
	f.detail = fmt.Sprintf("%s (%s)", f.detail, code)
	f.answer.Status = code
	return f
}
