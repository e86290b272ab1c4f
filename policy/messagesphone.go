package policy

import "strings"

// The messages of codes by SMS and of push. Whoever sees them has given his password, but for the first. A message that ends in "prompt" is
// the line that is answered.
const (
	MsgChoicePrompt  Message = "choice_prompt"      // the first question, where there is a choice: WORDS
	MsgTextPrompt    Message = "text_prompt"        // NUMBER: the country's code and the last three digits
	MsgTextOrPrompt  Message = "text_or_prompt"     // where there is another way: NUMBER, WORDS
	MsgNumberPrompt  Message = "push_number_prompt" // NUMBER, which is to be pressed on the phone
	MsgAllowPrompt   Message = "push_allow_prompt"  // of a push without a number
	MsgCallPrompt    Message = "push_call_prompt"   // of a telephone call
	MsgNotSent       Message = "not_sent"           // of whatever the provider, or we, have failed
	MsgTextLimit     Message = "text_limit"         // MINUTES until the user can be sent the next
	MsgTextLimitOne  Message = "text_limit_one"
	MsgTextHostLimit Message = "text_host_limit"
	MsgPushShut      Message = "push_shut"   // none is sent: one was denied here not long ago, some were not answered, or too many tries have failed
	MsgPushOpen      Message = "push_open"   // one waits on the phone, of another login
	MsgPushLate      Message = "push_late"   // no answer came
	MsgPushEnroll    Message = "push_enroll" // ADDRESS where the user gets a device with the provider

	// MsgNumberChanged is a text message to the number that a user had until now.
	MsgNumberChanged Message = "number_changed" // HOST

	// What the phone shows.
	MsgPhoneTitle    Message = "phone_title"     // HOST
	MsgPhoneTitleOwn Message = "phone_title_own" // HOST; where the user changes his devices
	MsgPhoneUser     Message = "phone_user"      // before the user's name, and so on
	MsgPhoneFrom     Message = "phone_from"
	MsgPhoneHost     Message = "phone_host"
	MsgPhoneService  Message = "phone_service"
	MsgPhoneTime     Message = "phone_time"
	MsgPhoneAllow    Message = "phone_allow" // on a button
	MsgPhoneDeny     Message = "phone_deny"  // on a button
)

// placeholdersOfPhones belong into placeholders.
func placeholdersOfPhones() map[Message][]string {
	return map[Message][]string{
		MsgChoicePrompt: {"WORDS"}, MsgTextPrompt: {"NUMBER"}, MsgTextOrPrompt: {"NUMBER", "WORDS"}, MsgNumberPrompt: {"NUMBER"},
		MsgAllowPrompt: nil, MsgCallPrompt: nil,
		MsgNotSent: nil, MsgTextLimit: {"MINUTES"}, MsgTextLimitOne: nil, MsgTextHostLimit: nil, MsgPushShut: nil, MsgPushOpen: nil, MsgPushLate: nil,
		MsgPushEnroll: {"ADDRESS"}, MsgNumberChanged: {"HOST"},
		MsgPhoneTitle: {"HOST"}, MsgPhoneTitleOwn: {"HOST"}, MsgPhoneUser: nil, MsgPhoneFrom: nil, MsgPhoneHost: nil, MsgPhoneService: nil, MsgPhoneTime: nil,
		MsgPhoneAllow: nil, MsgPhoneDeny: nil,
	}
}

// promptsOfPhones are one line each, and belong into prompts.
var promptsOfPhones = []Message{MsgChoicePrompt, MsgTextPrompt, MsgTextOrPrompt, MsgNumberPrompt, MsgAllowPrompt, MsgCallPrompt}

// onPhones are one line each as well: titles and labels.
var onPhones = []Message{MsgPhoneTitle, MsgPhoneTitleOwn, MsgPhoneUser, MsgPhoneFrom, MsgPhoneHost, MsgPhoneService, MsgPhoneTime, MsgPhoneAllow, MsgPhoneDeny}

// QuestionText is the first question of a login that offers words (see Offered), as in "Code, or 'push', 'sms': ", or none.
func (c *Config) QuestionText(words []string) string {
	if len(words) == 0 {
		return c.Text(MsgPrompt)
	}
	return c.Text(MsgChoicePrompt, "WORDS", QuotedWords(words))
}

// QuotedWords shows words as they are to be typed: 'push', 'sms'.
func QuotedWords(words []string) string { return "'" + strings.Join(words, "', '") + "'" }

func englishPhones() map[Message]string {
	return map[Message]string{
		MsgChoicePrompt: "Code, or %WORDS%: ",
		MsgTextPrompt:   "A code was sent to %NUMBER%. Code: ",
		MsgTextOrPrompt: "A code was sent to %NUMBER%. Code (or %WORDS%): ",
		MsgNumberPrompt: "Press %NUMBER% on your phone (not any other number), then Enter here, or type a code: ",
		MsgAllowPrompt:  "Allow the request on your phone, then press Enter here, or type a code: ",
		MsgCallPrompt:   "Answer the call on your phone, then press Enter here, or type a code: ",

		MsgNotSent:       "The message could not be sent. Please take another way, or contact %CONTACT%.",
		MsgTextLimit:     "Too many codes were sent to you. The next one can be sent in %MINUTES% minutes.",
		MsgTextLimitOne:  "Too many codes were sent to you. The next one can be sent in 1 minute.",
		MsgTextHostLimit: "No code can be sent at the moment. Please take another way, or contact %CONTACT%.",
		MsgPushShut:      "No request is sent to your phone now, since earlier tries have failed. Please take another way, or contact %CONTACT%.",
		MsgPushOpen:      "Another login is asking your phone. If it is not yours, press Deny there. Take another way here.",
		MsgPushLate:      "No answer came from your phone in time. Please log in again.",
		MsgPushEnroll:    "Your phone is not set up yet. Set it up at %ADDRESS% and log in again.",
		MsgNumberChanged: "Codes for your account on %HOST% go to another number from now on. If you did not ask for that, tell %CONTACT%.",

		MsgPhoneTitle:    "Login to %HOST%?",
		MsgPhoneTitleOwn: "Change your devices on %HOST%?",
		MsgPhoneUser:     "User",
		MsgPhoneFrom:     "From",
		MsgPhoneHost:     "Host",
		MsgPhoneService:  "Service",
		MsgPhoneTime:     "Time",
		MsgPhoneAllow:    "Allow",
		MsgPhoneDeny:     "Deny",
	}
}

func germanPhones() map[Message]string {
	return map[Message]string{
		MsgChoicePrompt: "Code, oder %WORDS%: ",
		MsgTextPrompt:   "Ein Code wurde an %NUMBER% gesendet. Code: ",
		MsgTextOrPrompt: "Ein Code wurde an %NUMBER% gesendet. Code (oder %WORDS%): ",
		MsgNumberPrompt: "Drücken Sie %NUMBER% auf Ihrem Telefon (keine andere Zahl), dann hier die Eingabetaste, oder tippen Sie einen Code: ",
		MsgAllowPrompt:  "Erlauben Sie die Anfrage auf Ihrem Telefon, und drücken Sie dann hier die Eingabetaste, oder tippen Sie einen Code: ",
		MsgCallPrompt:   "Nehmen Sie den Anruf auf Ihrem Telefon an, und drücken Sie dann hier die Eingabetaste, oder tippen Sie einen Code: ",

		MsgNotSent:       "Die Nachricht konnte nicht gesendet werden. Bitte nehmen Sie einen anderen Weg, oder wenden Sie sich an %CONTACT%.",
		MsgTextLimit:     "Ihnen wurden zu viele Codes gesendet. Der nächste kann in %MINUTES% Minuten gesendet werden.",
		MsgTextLimitOne:  "Ihnen wurden zu viele Codes gesendet. Der nächste kann in 1 Minute gesendet werden.",
		MsgTextHostLimit: "Im Moment kann kein Code gesendet werden. Bitte nehmen Sie einen anderen Weg, oder wenden Sie sich an %CONTACT%.",
		MsgPushShut: "An Ihr Telefon wird jetzt keine Anfrage gesendet, weil frühere Versuche fehlgeschlagen sind. " +
			"Bitte nehmen Sie einen anderen Weg, oder wenden Sie sich an %CONTACT%.",
		MsgPushOpen:      "Eine andere Anmeldung fragt Ihr Telefon. Ist es nicht Ihre, lehnen Sie dort ab. Nehmen Sie hier einen anderen Weg.",
		MsgPushLate:      "Von Ihrem Telefon kam rechtzeitig keine Antwort. Bitte melden Sie sich erneut an.",
		MsgPushEnroll:    "Ihr Telefon ist noch nicht eingerichtet. Richten Sie es unter %ADDRESS% ein, und melden Sie sich erneut an.",
		MsgNumberChanged: "Codes für Ihr Konto auf %HOST% gehen ab jetzt an eine andere Nummer. Wenn Sie das nicht wollten, wenden Sie sich an %CONTACT%.",

		MsgPhoneTitle:    "Anmeldung an %HOST%?",
		MsgPhoneTitleOwn: "Ihre Geräte auf %HOST% ändern?",
		MsgPhoneUser:     "Benutzer",
		MsgPhoneFrom:     "Von",
		MsgPhoneHost:     "Rechner",
		MsgPhoneService:  "Dienst",
		MsgPhoneTime:     "Zeit",
		MsgPhoneAllow:    "Erlauben",
		MsgPhoneDeny:     "Ablehnen",
	}
}
