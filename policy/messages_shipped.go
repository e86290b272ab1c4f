package policy

// DefaultLanguage is the language of the shipped texts where the configuration names none, and of a text that another one lacks.
const DefaultLanguage = "en"

// Languages lists the languages of the shipped texts: the values of "language", sorted.
func Languages() []string { return []string{"de", "en"} }

// shipped are the texts that come with twokey in a language. A prompt is the same for everybody, and a refusal does not say why.
func shipped(language string) texts {
	switch language {
	case DefaultLanguage:
		return english
	case "de":
		return german
	}
	return nil
}

// texts are a language's, in several tables. They are made when one of their texts is wanted: all at once, at the start of every login, would
// be most of what this package takes there.
type texts []func() map[Message]string

// of finds a text.
func (t texts) of(m Message) (text string, found bool) {
	for _, table := range t {
		if text, found = table()[m]; found {
			break
		}
	}
	return text, found
}

var english = texts{englishUsual, englishPhones, englishEnrolment, englishEnrolmentOfPhones}

// german has %CONTACT% in the accusative everywhere, so that one wording of "contact" fits.
var german = texts{germanUsual, germanPhones, germanEnrolment, germanEnrolmentOfPhones}

func englishUsual() map[Message]string {
	return map[Message]string{
		MsgPrompt:          "Verification code: ",
		MsgPasswordAndCode: "Password and code: ",
		MsgRefused:         "Login failed. Please check your login details and try again. Otherwise contact %CONTACT%.",

		MsgReplayed:     "This code has already been used. The next one comes in %SECONDS% seconds.",
		MsgReplayedOne:  "This code has already been used. The next one comes in 1 second.",
		MsgReplayedNext: "This code has already been used. Please take the next one.",

		MsgNoticeOptional: "You have no second factor yet. Set one up with \"twokey enroll\", or ask %CONTACT%. %HELP%",
		MsgNoticeRequired: "You can log in without a second factor until %DATE% (%DAYS% days left). " +
			"Set one up with \"twokey enroll\", or ask %CONTACT%. %HELP%",
		MsgNoticeRequiredOne: "You can log in without a second factor until tomorrow, %DATE%. " +
			"Set one up with \"twokey enroll\", or ask %CONTACT%. %HELP%",
		MsgNoticeRequiredLast: "Today, %DATE%, is the last day on which you can log in without a second factor. " +
			"Set one up with \"twokey enroll\", or ask %CONTACT%. %HELP%",
		MsgNoticeDevice: "Device \"%DEVICE%\" was added on %DATE% by %BY%. If you did not expect this, tell %CONTACT%.",
		MsgNoticeDeviceEnds: "The codes of device \"%DEVICE%\" end on %DATE%. " +
			"Link another one before that with \"twokey device add\", or ask %CONTACT%.",
		MsgNoticeRequireEnds: "A second factor is required of you until %DATE%. After that your logins may be asked for less.",
		MsgNoticeExemptEnds: "You can log in without a second factor until %DATE%. After that the usual rules are yours again. " +
			"If you have none yet, set one up with \"twokey enroll\", or ask %CONTACT%.",
		MsgNoticeRecovery: "You have %LEFT% recovery codes left. " +
			"Make new ones with \"twokey recovery new\", or ask %CONTACT%.",
		MsgNoticeRecoveryOne: "You have 1 recovery code left. " +
			"Make new ones with \"twokey recovery new\", or ask %CONTACT%.",
		MsgNoticeRecoveryNone: "You have no recovery codes left. " +
			"Make new ones with \"twokey recovery new\", or ask %CONTACT%.",

		MsgMailSubject: "Your second factor for %HOST%",
		MsgMailBody: "Hello,\n\n" +
			"the account %USER% on %HOST% has no second factor yet. With one, a stolen password is not enough to get in.\n\n" +
			"Please ask %CONTACT% to set one up.\n\n%HELP%",
		MsgMailBodyRequired: "Hello,\n\n" +
			"the account %USER% on %HOST% needs a second factor and has none. Logins that ask for it are refused.\n\n" +
			"Please ask %CONTACT% to set one up.\n\n%HELP%",
		MsgMailBodyUntil: "Hello,\n\n" +
			"the account %USER% on %HOST% needs a second factor and has none. " +
			"%DATE% is the last day on which you can log in without one.\n\n" +
			"Please ask %CONTACT% to set one up before that.\n\n%HELP%",

		MsgContact: DefaultContact,
		MsgHelp:    "More about it: %HELP_URL%",
	}
}

func germanUsual() map[Message]string {
	return map[Message]string{
		MsgPrompt:          "Bestätigungscode: ",
		MsgPasswordAndCode: "Passwort und Code: ",
		MsgRefused: "Die Anmeldung ist fehlgeschlagen. Bitte prüfen Sie Ihre Anmeldedaten und versuchen Sie es erneut. " +
			"Wenden Sie sich sonst an %CONTACT%.",

		MsgReplayed:     "Dieser Code wurde bereits verwendet. Der nächste kommt in %SECONDS% Sekunden.",
		MsgReplayedOne:  "Dieser Code wurde bereits verwendet. Der nächste kommt in 1 Sekunde.",
		MsgReplayedNext: "Dieser Code wurde bereits verwendet. Bitte nehmen Sie den nächsten.",

		MsgNoticeOptional: "Sie haben noch keinen zweiten Faktor. " +
			"Richten Sie ihn mit \"twokey enroll\" ein, oder bitten Sie %CONTACT% darum. %HELP%",
		MsgNoticeRequired: "Ohne zweiten Faktor können Sie sich noch bis zum %DATE% anmelden (noch %DAYS% Tage). " +
			"Richten Sie ihn mit \"twokey enroll\" ein, oder bitten Sie %CONTACT% darum. %HELP%",
		MsgNoticeRequiredOne: "Ohne zweiten Faktor können Sie sich noch bis morgen, %DATE%, anmelden. " +
			"Richten Sie ihn mit \"twokey enroll\" ein, oder bitten Sie %CONTACT% darum. %HELP%",
		MsgNoticeRequiredLast: "Heute, %DATE%, können Sie sich zum letzten Mal ohne zweiten Faktor anmelden. " +
			"Richten Sie ihn mit \"twokey enroll\" ein, oder bitten Sie %CONTACT% darum. %HELP%",
		MsgNoticeDevice: "Das Gerät \"%DEVICE%\" wurde am %DATE% von %BY% hinzugefügt. " +
			"Wenn Sie das nicht erwartet haben, wenden Sie sich an %CONTACT%.",
		MsgNoticeDeviceEnds: "Die Codes des Geräts \"%DEVICE%\" gelten nur noch bis zum %DATE%. " +
			"Fügen Sie vorher mit \"twokey device add\" ein anderes hinzu, oder bitten Sie %CONTACT% darum.",
		MsgNoticeRequireEnds: "Ein zweiter Faktor wird von Ihnen bis zum %DATE% verlangt. Danach fragen Ihre Anmeldungen vielleicht nach weniger.",
		MsgNoticeExemptEnds: "Ohne zweiten Faktor können Sie sich noch bis zum %DATE% anmelden. Danach gelten für Sie wieder die üblichen Regeln. " +
			"Wenn Sie noch keinen haben, richten Sie ihn mit \"twokey enroll\" ein, oder bitten Sie %CONTACT% darum.",
		MsgNoticeRecovery: "Sie haben noch %LEFT% Wiederherstellungscodes. " +
			"Machen Sie mit \"twokey recovery new\" neue, oder bitten Sie %CONTACT% darum.",
		MsgNoticeRecoveryOne: "Sie haben noch 1 Wiederherstellungscode. " +
			"Machen Sie mit \"twokey recovery new\" neue, oder bitten Sie %CONTACT% darum.",
		MsgNoticeRecoveryNone: "Sie haben keine Wiederherstellungscodes mehr. " +
			"Machen Sie mit \"twokey recovery new\" neue, oder bitten Sie %CONTACT% darum.",

		MsgMailSubject: "Ihr zweiter Faktor für %HOST%",
		MsgMailBody: "Guten Tag,\n\n" +
			"das Konto %USER% auf %HOST% hat noch keinen zweiten Faktor. Mit ihm genügt ein gestohlenes Passwort nicht mehr, " +
			"um hineinzukommen.\n\n" +
			"Bitten Sie %CONTACT%, ihn einzurichten.\n\n%HELP%",
		MsgMailBodyRequired: "Guten Tag,\n\n" +
			"das Konto %USER% auf %HOST% braucht einen zweiten Faktor und hat keinen. Anmeldungen, die danach fragen, werden abgelehnt.\n\n" +
			"Bitten Sie %CONTACT%, ihn einzurichten.\n\n%HELP%",
		MsgMailBodyUntil: "Guten Tag,\n\n" +
			"das Konto %USER% auf %HOST% braucht einen zweiten Faktor und hat keinen. " +
			"Ohne ihn können Sie sich nur noch bis zum %DATE% anmelden.\n\n" +
			"Bitten Sie %CONTACT%, ihn vorher einzurichten.\n\n%HELP%",

		MsgContact: "Ihren Administrator",
		MsgHelp:    "Mehr dazu: %HELP_URL%",
	}
}
