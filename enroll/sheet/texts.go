package sheet

// texts are the words of the page in one language. %s and %d are filled in by the template.
type texts struct {
	Language          string
	Title             string // host
	Secret, SecretWhy string

	Install, Scan            string
	LogInByTime              string // digits, seconds
	LogInByCounter           string // digits
	DestroyUpper, DestroyAll string

	ByHand, Account, Issuer, Key, Kind, Device string
	Until                                      string // day
	ByTime                                     string // digits, seconds, algorithm
	ByCounter                                  string // digits, algorithm

	Apps    string
	AppRows []appRow

	Cut, Recovery, RecoveryWhy string
	Contact                    string // whom
	Help                       string // address
}

// appRow says for one kind of device which apps there are, all of them free of charge, and where.
type appRow struct {
	For, Where string
	Apps       []app
}

// app is what a store lists. There the maker tells it from copies of nearly the same name, which send the keys to somebody.
type app struct{ Name, Maker string }

// The apps are those that an enrolment at login names.
var (
	onIPhone = []app{{"2FA Authenticator (2FAS)", "Two Factor Authentication Service"}, {"Ente Auth", "Ente"},
		{"FreeOTP Authenticator", "Red Hat"}, {"Google Authenticator", "Google"}, {"Microsoft Authenticator", "Microsoft"}}
	onAndroidFree = []app{{"Aegis Authenticator", "Beem Development"}, {"Ente Auth", "Ente"}, {"FreeOTP", "Red Hat"}}
	onAndroid     = []app{{"2FA Authenticator (2FAS)", "2FAS"}, {"Google Authenticator", "Google"}, {"Microsoft Authenticator", "Microsoft"}}
	onComputer    = []app{{"KeePassXC", "keepassxc.org"}, {"Ente Auth", "ente.io/auth"}}
)

func textsIn(language string) texts {
	if language == "de" {
		return german
	}
	return english
}

var english = texts{
	Language: "en",
	Title:    "Your second factor for %s",
	Secret:   "This page is the secret.",
	SecretWhy: "Whoever has it, or a picture of it, can make your codes. Do not mail or photograph it, and do not keep the file. " +
		"If somebody else may have seen it, say so at once.",
	Install:        "Install an authenticator app, if you have none: see below.",
	Scan:           "Open the app, choose to add an account (often a plus sign), and scan this QR code. Without a camera, type in the key.",
	LogInByTime:    "At the next login, type the %d digits that the app shows. They change every %d seconds; the clock of the phone has to be right: let it set itself.",
	LogInByCounter: "At the next login, let the app make a code, and type its %d digits. Each code works once.",
	DestroyUpper:   "When that works, destroy the upper part of this page, and keep the lower part where the phone is not.",
	DestroyAll:     "When that works, destroy this page.",
	ByHand:         "To type in", Account: "Account", Issuer: "Issuer", Key: "Key", Kind: "Kind", Device: "Device",
	Until:     "good until %s",
	ByTime:    "by time (TOTP), %d digits, every %d s, %s",
	ByCounter: "by counter (HOTP), %d digits, %s",
	Apps:      "Apps, all free (look for the maker, too: there are copies)",
	AppRows: []appRow{
		{"iPhone or iPad", "App Store", onIPhone},
		{"Android", "Google Play, F-Droid", onAndroidFree},
		{"", "Google Play", onAndroid},
		{"Computer", "Windows, macOS, Linux", onComputer},
	},
	Cut:         "cut here",
	Recovery:    "Recovery codes for %s",
	RecoveryWhy: "For the day when the phone is lost: each of them works once in place of a code. Tick those that are used.",
	Contact:     "Questions, or the phone is lost? Contact %s.",
	Help:        "More about it: %s",
}

// german has the contact in the accusative, as the texts of a login do.
var german = texts{
	Language: "de",
	Title:    "Ihr zweiter Faktor für %s",
	Secret:   "Diese Seite ist das Geheimnis.",
	SecretWhy: "Wer sie oder ein Bild von ihr hat, kann Ihre Codes erzeugen. Verschicken und fotografieren Sie sie nicht, und heben Sie die " +
		"Datei nicht auf. Wenn jemand anders sie gesehen haben könnte, sagen Sie es sofort.",
	Install:        "Installieren Sie eine Authenticator-App, wenn Sie noch keine haben: siehe unten.",
	Scan:           "Öffnen Sie die App, fügen Sie ein Konto hinzu (oft ein Pluszeichen), und scannen Sie diesen QR-Code. Ohne Kamera tippen Sie den Schlüssel ein.",
	LogInByTime:    "Geben Sie bei der nächsten Anmeldung die %d Ziffern ein, die die App zeigt. Sie wechseln alle %d Sekunden; die Uhr des Telefons muss stimmen: sie soll sich selbst stellen.",
	LogInByCounter: "Lassen Sie bei der nächsten Anmeldung die App einen Code erzeugen, und geben Sie seine %d Ziffern ein. Jeder Code gilt einmal.",
	DestroyUpper:   "Wenn das gelingt, vernichten Sie den oberen Teil dieser Seite, und bewahren Sie den unteren dort auf, wo das Telefon nicht ist.",
	DestroyAll:     "Wenn das gelingt, vernichten Sie diese Seite.",
	ByHand:         "Zum Eintippen", Account: "Konto", Issuer: "Aussteller", Key: "Schlüssel", Kind: "Art", Device: "Gerät",
	Until:     "gültig bis %s",
	ByTime:    "zeitbasiert (TOTP), %d Ziffern, alle %d s, %s",
	ByCounter: "zählerbasiert (HOTP), %d Ziffern, %s",
	Apps:      "Apps, alle kostenlos (achten Sie auf den Anbieter: es gibt Nachahmungen)",
	AppRows: []appRow{
		{"iPhone oder iPad", "App Store", onIPhone},
		{"Android", "Google Play, F-Droid", onAndroidFree},
		{"", "Google Play", onAndroid},
		{"Computer", "Windows, macOS, Linux", onComputer},
	},
	Cut:         "hier abschneiden",
	Recovery:    "Wiederherstellungscodes für %s",
	RecoveryWhy: "Für den Tag, an dem das Telefon verloren ist: jeder gilt einmal anstelle eines Codes. Haken Sie die verbrauchten ab.",
	Contact:     "Fragen, oder das Telefon ist verloren? Wenden Sie sich an %s.",
	Help:        "Mehr dazu: %s",
}
