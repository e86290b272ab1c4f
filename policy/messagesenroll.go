package policy

// The messages of an enrolment at login, in the order in which they come. A message that ends in "prompt" is the line that is answered;
// what is not a prompt may have several lines.
const (
	MsgEnrollBegin      Message = "enroll_begin"       // before the code of "with-code"
	MsgEnrollCodePrompt Message = "enroll_code_prompt" // the enrolment code
	MsgEnrollCodeWrong  Message = "enroll_code_wrong"
	MsgEnrollCodeEnded  Message = "enroll_code_ended"

	MsgEnrollHolder       Message = "enroll_holder" // what will hold the codes: 1 to 5
	MsgEnrollHolderPrompt Message = "enroll_holder_prompt"
	MsgEnrollHolderWrong  Message = "enroll_holder_wrong"
	MsgEnrollIPhone       Message = "enroll_iphone"      // 1
	MsgEnrollAndroid      Message = "enroll_android"     // 2
	MsgEnrollComputer     Message = "enroll_computer"    // 3; HOST
	MsgEnrollToken        Message = "enroll_token"       // 4
	MsgEnrollPlainPhone   Message = "enroll_plain_phone" // 5
	MsgEnrollReadyPrompt  Message = "enroll_ready_prompt"

	MsgEnrollShow       Message = "enroll_show"            // before the picture: KEY, ADDRESS, WIDTH, LINES
	MsgEnrollText       Message = "enroll_text"            // without a picture: KEY, ADDRESS, USER, HOST
	MsgEnrollAppPrompt  Message = "enroll_app_prompt"      // the first code of the app
	MsgEnrollWrong      Message = "enroll_wrong"           // of that code
	MsgEnrollFast       Message = "enroll_wrong_fast"      // SECONDS by which the clock of the device is ahead
	MsgEnrollSlow       Message = "enroll_wrong_slow"      // SECONDS by which it is behind
	MsgEnrollFastLong   Message = "enroll_wrong_fast_long" // the same, where it is so much that MINUTES say it better
	MsgEnrollSlowLong   Message = "enroll_wrong_slow_long"
	MsgEnrollRecovery   Message = "enroll_recovery"    // before the recovery codes
	MsgEnrollNotePrompt Message = "enroll_note_prompt" // that they are noted

	MsgEnrollDonePhone    Message = "enroll_done_phone"    // USER, HOST
	MsgEnrollDoneComputer Message = "enroll_done_computer" // USER, HOST
	MsgEnrollAgain        Message = "enroll_again"         // linked, and the login could not go on
	MsgEnrollStopped      Message = "enroll_stopped"
	MsgEnrollLate         Message = "enroll_late"
	MsgEnrollFailed       Message = "enroll_failed"
	MsgEnrollMeanwhile    Message = "enroll_meanwhile"  // another login was quicker
	MsgEnrollElsewhere    Message = "enroll_elsewhere"  // at a service that cannot show a picture
	MsgEnrollCannotAsk    Message = "enroll_cannot_ask" // where sshd asks by its method "password", which has no other questions

	// What is asked where texts can be sent, or push.
	MsgEnrollHolderSMS       Message = "enroll_holder_sms"          // what stands behind its number in the menu
	MsgEnrollHolderPush      Message = "enroll_holder_push"         // likewise
	MsgEnrollHolderPhones    Message = "enroll_holder_phones"       // above the menu, where the codes of apps do not count
	MsgEnrollNumber          Message = "enroll_number"              // which telephone number
	MsgEnrollNumberPrompt    Message = "enroll_number_prompt"       // that number
	MsgEnrollNumberWrong     Message = "enroll_number_wrong"        // it is none
	MsgEnrollNumberCheck     Message = "enroll_number_check"        // NUMBER and COUNTRY, as understood
	MsgEnrollCheckPrompt     Message = "enroll_number_check_prompt" // whether that is right
	MsgEnrollTextSent        Message = "enroll_sms_sent"            // NUMBER: the country's code and the last three digits
	MsgEnrollTextPrompt      Message = "enroll_sms_prompt"          // the code that was sent
	MsgEnrollTextWrong       Message = "enroll_sms_wrong"           // of that code
	MsgEnrollNtfy            Message = "enroll_ntfy"                // which app
	MsgEnrollNtfyShow        Message = "enroll_ntfy_show"           // before the picture: SERVER, TOPIC, ADDRESS, WIDTH, LINES
	MsgEnrollNtfyPrompt      Message = "enroll_ntfy_prompt"         // that the phone is subscribed
	MsgEnrollDuo             Message = "enroll_duo"                 // which app
	MsgEnrollDuoAddress      Message = "enroll_duo_address"         // ADDRESS where the user gets a device with Duo
	MsgEnrollPushTitle       Message = "enroll_push_title"          // on the phone: USER, HOST
	MsgEnrollPushPrompt      Message = "enroll_push_prompt"         // NUMBER, which is to be pressed on the phone
	MsgEnrollPushAllowPrompt Message = "enroll_push_allow_prompt"   // of a push without a number
	MsgEnrollPushAgainPrompt Message = "enroll_push_again_prompt"   // before another push
	MsgEnrollPushLate        Message = "enroll_push_late"           // nobody has answered
	MsgEnrollPushDenied      Message = "enroll_push_denied"         // the end
	MsgEnrollPushWrong       Message = "enroll_push_wrong"          // the end, by another number
	MsgEnrollRecoveryPhone   Message = "enroll_recovery_phone"      // before the recovery codes, in place of enroll_recovery
)

// placeholdersOfEnrolment belong into placeholders.
func placeholdersOfEnrolment() map[Message][]string {
	return map[Message][]string{
		MsgEnrollBegin: nil, MsgEnrollCodePrompt: nil, MsgEnrollCodeWrong: nil, MsgEnrollCodeEnded: nil,
		MsgEnrollHolder: nil, MsgEnrollHolderPrompt: nil, MsgEnrollHolderWrong: {"LAST"},
		MsgEnrollIPhone: nil, MsgEnrollAndroid: nil, MsgEnrollComputer: {"HOST"}, MsgEnrollToken: nil, MsgEnrollPlainPhone: nil,
		MsgEnrollReadyPrompt: nil,
		MsgEnrollShow:        {"KEY", "ADDRESS", "WIDTH", "LINES"}, MsgEnrollText: {"KEY", "ADDRESS", "USER", "HOST"},
		MsgEnrollAppPrompt: nil, MsgEnrollWrong: nil, MsgEnrollFast: {"SECONDS"}, MsgEnrollSlow: {"SECONDS"},
		MsgEnrollFastLong: {"MINUTES"}, MsgEnrollSlowLong: {"MINUTES"},
		MsgEnrollRecovery: nil, MsgEnrollNotePrompt: nil,
		MsgEnrollDonePhone: {"USER", "HOST"}, MsgEnrollDoneComputer: {"USER", "HOST"},
		MsgEnrollAgain: nil, MsgEnrollStopped: nil, MsgEnrollLate: nil, MsgEnrollFailed: nil, MsgEnrollMeanwhile: nil, MsgEnrollElsewhere: nil,
		MsgEnrollCannotAsk: nil,
		MsgEnrollHolderSMS: nil, MsgEnrollHolderPush: nil, MsgEnrollHolderPhones: nil,
		MsgEnrollNumber: nil, MsgEnrollNumberPrompt: nil, MsgEnrollNumberWrong: nil, MsgEnrollNumberCheck: {"NUMBER", "COUNTRY"}, MsgEnrollCheckPrompt: nil,
		MsgEnrollTextSent: {"NUMBER"}, MsgEnrollTextPrompt: nil, MsgEnrollTextWrong: nil,
		MsgEnrollNtfy: nil, MsgEnrollNtfyShow: {"SERVER", "TOPIC", "ADDRESS", "WIDTH", "LINES"}, MsgEnrollNtfyPrompt: nil,
		MsgEnrollDuo: nil, MsgEnrollDuoAddress: {"ADDRESS"},
		MsgEnrollPushTitle: {"USER", "HOST"}, MsgEnrollPushPrompt: {"NUMBER"}, MsgEnrollPushAllowPrompt: nil, MsgEnrollPushAgainPrompt: nil,
		MsgEnrollPushLate: nil, MsgEnrollPushDenied: nil, MsgEnrollPushWrong: nil, MsgEnrollRecoveryPhone: nil,
	}
}

// promptsOfEnrolment are one line each, and belong into prompts.
var promptsOfEnrolment = []Message{
	MsgEnrollCodePrompt, MsgEnrollHolderPrompt, MsgEnrollReadyPrompt, MsgEnrollAppPrompt, MsgEnrollNotePrompt,
	MsgEnrollNumberPrompt, MsgEnrollCheckPrompt, MsgEnrollTextPrompt, MsgEnrollNtfyPrompt,
	MsgEnrollPushPrompt, MsgEnrollPushAllowPrompt, MsgEnrollPushAgainPrompt,
}

// labelsOfEnrolment are one line each as well.
var labelsOfEnrolment = []Message{MsgEnrollHolderSMS, MsgEnrollHolderPush, MsgEnrollPushTitle}

// englishEnrolment are lines of at most 76 columns, as far as they are ours: a terminal has 80. The makers stand beside the names of
// the apps because the stores have copies that send the keys to somebody.
func englishEnrolment() map[Message]string {
	return map[Message]string{
		MsgEnrollBegin: `This account needs a second factor and does not have one yet.
You can link one now. It takes about two minutes.

First type the enrolment code that you were given. It looks like this:
xxxx-xxxx-xxxx. If you have none, type q and ask %CONTACT%.`,
		MsgEnrollCodePrompt: "Enrolment code: ",
		MsgEnrollCodeWrong:  "This is not your enrolment code.",
		MsgEnrollCodeEnded:  "The time of your enrolment code is over.\nAsk %CONTACT% for a new one.",

		MsgEnrollHolder: `Each login will ask for a code. What will show you the codes?

  1  iPhone or iPad
  2  Android phone or tablet
  3  computer
  4  hardware token
  5  phone without apps`,
		MsgEnrollHolderPrompt: "Number (or q to stop): ",
		MsgEnrollHolderWrong:  "Please type a number from 1 to %LAST%, or q.",

		MsgEnrollIPhone: `Install one of these apps. All are free. There are copies with similar
names, so look for the maker, too.

  Store      Search for                  Maker
  App Store  2FA Authenticator (2FAS)    Two Factor Authentication Service
  App Store  Ente Auth                   Ente
  App Store  FreeOTP Authenticator       Red Hat
  App Store  Google Authenticator        Google
  App Store  Microsoft Authenticator     Microsoft`,
		MsgEnrollAndroid: `Install one of these apps. All are free. There are copies with similar
names, so look for the maker, too.

  Store                 Search for                 Maker
  Google Play, F-Droid  Aegis Authenticator        Beem Development
  Google Play, F-Droid  Ente Auth                  Ente
  Google Play, F-Droid  FreeOTP                    Red Hat
  F-Droid               FreeOTP+                   Haowen Ning
  Google Play           2FA Authenticator (2FAS)   2FAS
  Google Play           Google Authenticator       Google
  Google Play           Microsoft Authenticator    Microsoft`,
		MsgEnrollComputer: `Use your own computer, not %HOST%: whoever breaks into one of them
must not have both. Install one of these programs. All are free.

  For                    Where                     Program
  Windows, macOS, Linux  https://keepassxc.org     KeePassXC
  Windows, macOS, Linux  https://ente.io/auth      Ente Auth
  Linux                  Flathub: "Authenticator"  Authenticator (GNOME)
  Linux                  Flathub: "Secrets"        Secrets (GNOME)

In KeePassXC make an entry, then choose Entries, TOTP, Set up TOTP.`,
		MsgEnrollToken: `A hardware token has its secret inside, so it cannot be linked here.
Ask %CONTACT% to link it, and have its serial number ready.

If it is a YubiKey that you use with the app Yubico Authenticator, choose
the device on which that app runs.`,
		MsgEnrollPlainPhone: `A phone without apps cannot show codes. Choose 3 for a program on your
computer, or ask %CONTACT% for a hardware token.`,
		MsgEnrollReadyPrompt: "Press Enter when it is installed (or q to stop): ",

		MsgEnrollShow: `Add an account in the app (often a "+") and scan the picture below.
The window has to be %WIDTH% columns wide and %LINES% lines high. If its letters
are dark on a light ground, type i. If it shows no picture, type w or t.

No camera? Type in this key. It is "time based":
  %KEY%
Does this window run on the phone itself? Copy this address into the app:
  %ADDRESS%
Connection lost? From the same place you get this picture for 15 minutes.`,
		MsgEnrollText: `Add an account in the app and type in:
  Account  %USER% on %HOST%
  Key      %KEY%
  Type     time based (TOTP)
Or copy this address into the app:
  %ADDRESS%`,
		MsgEnrollAppPrompt: "Code from the app (t: key as text, i: inverted, w: wide, q: stop): ",
		MsgEnrollWrong:     "This code is not right. Type the one that the app shows now.",
		MsgEnrollFast: `This code is not right: the clock of your device is %SECONDS% seconds ahead.
Let it set date and time by itself, then type the next code.`,
		MsgEnrollFastLong: `This code is not right: the clock of your device is %MINUTES% minutes ahead.
Let it set date and time by itself, then type the next code.`,
		MsgEnrollSlow: `This code is not right: the clock of your device is %SECONDS% seconds behind.
Let it set date and time by itself, then type the next code.`,
		MsgEnrollSlowLong: `This code is not right: the clock of your device is %MINUTES% minutes behind.
Let it set date and time by itself, then type the next code.`,
		MsgEnrollRecovery: `The code is right. Here are your recovery codes: if the app is lost, each
of them lets you in once. Write them down now and keep them in a safe
place. They are not shown again.`,
		MsgEnrollNotePrompt: "Press Enter when you have written them down: ",

		MsgEnrollDonePhone:    "This phone is now linked to %USER% on %HOST%.",
		MsgEnrollDoneComputer: "This computer is now linked to %USER% on %HOST%.",
		MsgEnrollAgain:        "Your device is linked, but this login could not go on. Log in again, with a\ncode.",
		MsgEnrollStopped:      "Nothing was linked. You can log in again and go on.",
		MsgEnrollLate:         "This took too long, and nothing was linked. Log in again to go on.",
		MsgEnrollFailed:       "Something went wrong. Nothing was linked. Please tell %CONTACT%.",
		MsgEnrollMeanwhile: `This account has changed meanwhile; what you see here was not linked. Log
in again. If you do not know why it has changed, tell %CONTACT%.`,
		MsgEnrollElsewhere: `This account needs a second factor and does not have one yet. This program
cannot link one. Log in by ssh or at the console; it will be done there.`,
		MsgEnrollCannotAsk: `This account needs a second factor and does not have one yet. This way of
logging in cannot ask what is needed to link one. If your program lets you
choose, take "keyboard-interactive" instead of "password" and log in again.
At the console it can be done, too. Otherwise ask %CONTACT%.`,
	}
}

// germanEnrolment has %CONTACT% in the accusative everywhere, as german does.
func germanEnrolment() map[Message]string {
	return map[Message]string{
		MsgEnrollBegin: `Dieses Konto braucht einen zweiten Faktor und hat noch keinen.
Sie können ihn jetzt einrichten. Das dauert etwa zwei Minuten.

Geben Sie zuerst den Einrichtungscode ein, den Sie bekommen haben. Er sieht
so aus: xxxx-xxxx-xxxx. Wenn Sie keinen haben, tippen Sie q und bitten Sie
%CONTACT% darum.`,
		MsgEnrollCodePrompt: "Einrichtungscode: ",
		MsgEnrollCodeWrong:  "Das ist nicht Ihr Einrichtungscode.",
		MsgEnrollCodeEnded:  "Ihr Einrichtungscode ist abgelaufen.\nBitten Sie %CONTACT% um einen neuen.",

		MsgEnrollHolder: `Jede Anmeldung wird nach einem Code fragen. Was soll Ihnen die Codes zeigen?

  1  iPhone oder iPad
  2  Android-Telefon oder -Tablet
  3  Computer
  4  Hardware-Token
  5  Telefon ohne Apps`,
		MsgEnrollHolderPrompt: "Nummer (oder q zum Abbrechen): ",
		MsgEnrollHolderWrong:  "Bitte geben Sie eine Nummer von 1 bis %LAST% ein, oder q.",

		MsgEnrollIPhone: `Installieren Sie eine dieser Apps. Alle sind kostenlos. Es gibt
Nachahmungen mit ähnlichen Namen: Achten Sie auch auf den Anbieter.

  Store      Suchen nach                 Anbieter
  App Store  2FA Authenticator (2FAS)    Two Factor Authentication Service
  App Store  Ente Auth                   Ente
  App Store  FreeOTP Authenticator       Red Hat
  App Store  Google Authenticator        Google
  App Store  Microsoft Authenticator     Microsoft`,
		MsgEnrollAndroid: `Installieren Sie eine dieser Apps. Alle sind kostenlos. Es gibt
Nachahmungen mit ähnlichen Namen: Achten Sie auch auf den Anbieter.

  Store                 Suchen nach                Anbieter
  Google Play, F-Droid  Aegis Authenticator        Beem Development
  Google Play, F-Droid  Ente Auth                  Ente
  Google Play, F-Droid  FreeOTP                    Red Hat
  F-Droid               FreeOTP+                   Haowen Ning
  Google Play           2FA Authenticator (2FAS)   2FAS
  Google Play           Google Authenticator       Google
  Google Play           Microsoft Authenticator    Microsoft`,
		MsgEnrollComputer: `Nehmen Sie Ihren eigenen Computer, nicht %HOST%: Wer in einen von beiden
eindringt, soll nicht beides haben. Installieren Sie eines dieser
Programme. Alle sind kostenlos.

  Für                    Wo                        Programm
  Windows, macOS, Linux  https://keepassxc.org     KeePassXC
  Windows, macOS, Linux  https://ente.io/auth      Ente Auth
  Linux                  Flathub: "Authenticator"  Authenticator (GNOME)
  Linux                  Flathub: "Secrets"        Secrets (GNOME)

In KeePassXC: neuer Eintrag, dann Einträge, TOTP, TOTP einrichten.`,
		MsgEnrollToken: `Ein Hardware-Token trägt sein Geheimnis in sich und lässt sich hier nicht
einrichten. Bitten Sie %CONTACT% darum, und halten Sie die
Seriennummer bereit.

Wenn es ein YubiKey ist, den Sie mit der App Yubico Authenticator benutzen,
wählen Sie das Gerät, auf dem diese App läuft.`,
		MsgEnrollPlainPhone: `Ein Telefon ohne Apps kann keine Codes zeigen. Wählen Sie 3 für ein
Programm auf Ihrem Computer, oder bitten Sie %CONTACT% um ein
Hardware-Token.`,
		MsgEnrollReadyPrompt: "Eingabetaste drücken, wenn es installiert ist (oder q zum Abbrechen): ",

		MsgEnrollShow: `Fügen Sie in der App ein Konto hinzu (oft ein "+") und scannen Sie das Bild
unten. Das Fenster muss %WIDTH% Spalten breit und %LINES% Zeilen hoch sein.
Bei dunkler Schrift auf hellem Grund tippen Sie i, ohne Bild w oder t.

Keine Kamera? Tippen Sie diesen Schlüssel ein. Er ist "zeitbasiert":
  %KEY%
Läuft dieses Fenster auf dem Telefon selbst? Kopieren Sie diese Adresse in
die App:
  %ADDRESS%
Verbindung abgebrochen? Vom selben Ort kommt dieses Bild 15 Minuten lang.`,
		MsgEnrollText: `Fügen Sie in der App ein Konto hinzu und geben Sie ein:
  Konto      %USER% auf %HOST%
  Schlüssel  %KEY%
  Art        zeitbasiert (TOTP)
Oder kopieren Sie diese Adresse in die App:
  %ADDRESS%`,
		MsgEnrollAppPrompt: "Code aus der App (t: Schlüssel, i: umgekehrt, w: breit, q: Ende): ",
		MsgEnrollWrong:     "Dieser Code stimmt nicht. Geben Sie den ein, den die App jetzt zeigt.",
		MsgEnrollFast: `Dieser Code stimmt nicht: Die Uhr Ihres Geräts geht %SECONDS% Sekunden vor.
Lassen Sie es Datum und Uhrzeit selbst stellen und geben Sie dann den
nächsten Code ein.`,
		MsgEnrollFastLong: `Dieser Code stimmt nicht: Die Uhr Ihres Geräts geht %MINUTES% Minuten vor.
Lassen Sie es Datum und Uhrzeit selbst stellen und geben Sie dann den
nächsten Code ein.`,
		MsgEnrollSlow: `Dieser Code stimmt nicht: Die Uhr Ihres Geräts geht %SECONDS% Sekunden nach.
Lassen Sie es Datum und Uhrzeit selbst stellen und geben Sie dann den
nächsten Code ein.`,
		MsgEnrollSlowLong: `Dieser Code stimmt nicht: Die Uhr Ihres Geräts geht %MINUTES% Minuten nach.
Lassen Sie es Datum und Uhrzeit selbst stellen und geben Sie dann den
nächsten Code ein.`,
		MsgEnrollRecovery: `Der Code stimmt. Hier sind Ihre Wiederherstellungscodes: Wenn die App
verloren ist, kommen Sie mit jedem einmal hinein. Schreiben Sie sie jetzt
auf und verwahren Sie sie sicher. Sie werden nicht noch einmal gezeigt.`,
		MsgEnrollNotePrompt: "Eingabetaste drücken, wenn Sie sie aufgeschrieben haben: ",

		MsgEnrollDonePhone:    "Dieses Telefon ist nun mit %USER% auf %HOST% verknüpft.",
		MsgEnrollDoneComputer: "Dieser Computer ist nun mit %USER% auf %HOST% verknüpft.",
		MsgEnrollAgain:        "Ihr Gerät ist verknüpft, aber diese Anmeldung konnte nicht weitergehen.\nMelden Sie sich neu an, mit einem Code.",
		MsgEnrollStopped:      "Es wurde nichts eingerichtet. Melden Sie sich wieder an, um weiterzumachen.",
		MsgEnrollLate:         "Das hat zu lange gedauert, und es wurde nichts eingerichtet. Melden Sie sich\nwieder an, um weiterzumachen.",
		MsgEnrollFailed:       "Etwas ging schief. Es wurde nichts eingerichtet.\nBitte verständigen Sie %CONTACT%.",
		MsgEnrollMeanwhile: `Dieses Konto wurde inzwischen geändert; was Sie hier sehen, wurde nicht
eingerichtet. Melden Sie sich neu an. Wenn Sie nicht wissen, warum es
geändert wurde, verständigen Sie %CONTACT%.`,
		MsgEnrollElsewhere: `Dieses Konto braucht einen zweiten Faktor und hat noch keinen. Mit diesem
Programm lässt er sich nicht einrichten. Melden Sie sich über ssh oder an
der Konsole an; dort geht es.`,
		MsgEnrollCannotAsk: `Dieses Konto braucht einen zweiten Faktor und hat noch keinen. Auf diesem
Weg kann die Anmeldung nicht fragen, was dazu nötig ist. Wenn Ihr Programm
die Wahl lässt, melden Sie sich mit "keyboard-interactive" statt "password"
an. An der Konsole geht es auch. Fragen Sie sonst %CONTACT%.`,
	}
}
