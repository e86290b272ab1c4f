package policy

// englishEnrolmentOfPhones are for who enrols a phone to which something is sent.
func englishEnrolmentOfPhones() map[Message]string {
	return map[Message]string{
		MsgEnrollHolderSMS:    "text messages (SMS) to a phone number",
		MsgEnrollHolderPush:   "push: allow or deny each login on the phone",
		MsgEnrollHolderPhones: "Each login will ask you by your phone. How?\n",

		MsgEnrollNumber: `Each login will send a code to your phone as a text message (SMS).

Type its number in the international form: a plus sign, the code of the
country, and the number without the 0 before it. It looks like this:
+44 7400 123456.`,
		MsgEnrollNumberPrompt: "Phone number (or q to stop): ",
		MsgEnrollNumberWrong:  "This is not a phone number in the international form.",
		MsgEnrollNumberCheck: `Is this the right number?

  Number   %NUMBER%
  Country  %COUNTRY%
`,
		MsgEnrollCheckPrompt: "Enter to send a code there, or the right number (q: stop): ",
		MsgEnrollTextSent:    "A code was sent to %NUMBER%. It may take a minute to arrive.",
		MsgEnrollTextPrompt:  "Code from the message (n: new code or number, q: stop): ",
		MsgEnrollTextWrong:   "This code is not right, or its time is over.",

		MsgEnrollNtfy: `Install this app. It is free.

  Store                 Search for  Maker
  App Store             ntfy        Philipp Heckel
  Google Play, F-Droid  ntfy        Philipp C. Heckel`,
		MsgEnrollNtfyShow: `Scan the picture below with the camera of the phone, and open it in ntfy.
The window has to be %WIDTH% columns wide and %LINES% lines high. If its letters
are dark on a light ground, type i. If it shows no picture, type w.

Does nothing open? Subscribe to a topic in the app (often a "+"), with
"use another server":
  Topic   %TOPIC%
  Server  %SERVER%
Does this window run on the phone itself? Open this address:
  %ADDRESS%
If the app wants a user and a password, ask %CONTACT% for them.`,
		MsgEnrollNtfyPrompt: "Enter when the topic is in the app (i: inverted, w: wide, q: stop): ",
		MsgEnrollDuo: `Install this app, if you do not have it yet. It is free.

  Store                   Search for  Maker
  App Store, Google Play  Duo Mobile  Duo Security`,
		MsgEnrollDuoAddress: `Duo does not know your phone yet. Set it up at this address:
  %ADDRESS%`,
		MsgEnrollPushTitle:       "Link this phone to %USER% on %HOST%?",
		MsgEnrollPushPrompt:      "Press %NUMBER% on your phone (not any other number), then Enter here: ",
		MsgEnrollPushAllowPrompt: "Allow the request on your phone, then press Enter here: ",
		MsgEnrollPushAgainPrompt: "Press Enter to send a request to the phone (or q to stop): ",
		MsgEnrollPushLate:        "No answer came from your phone in time.",
		MsgEnrollPushDenied:      "The request was denied on the phone. Nothing was linked.",
		MsgEnrollPushWrong:       "Another number was pressed on the phone. Nothing was linked. You can log in\nagain and go on.",
		MsgEnrollRecoveryPhone: `That was right. Here are your recovery codes: if the phone is lost, each of
them lets you in once. Write them down now and keep them in a safe
place. They are not shown again.`,
	}
}

func germanEnrolmentOfPhones() map[Message]string {
	return map[Message]string{
		MsgEnrollHolderSMS:    "Textnachrichten (SMS) an eine Telefonnummer",
		MsgEnrollHolderPush:   "Push: jede Anmeldung auf dem Telefon erlauben oder ablehnen",
		MsgEnrollHolderPhones: "Jede Anmeldung wird Sie über Ihr Telefon fragen. Wie?\n",

		MsgEnrollNumber: `Jede Anmeldung wird Ihnen einen Code als Textnachricht (SMS) senden.

Geben Sie die Nummer international an: ein Pluszeichen, die Vorwahl des
Landes und die Nummer ohne die 0 davor. Sie sieht so aus:
+49 1512 3456789.`,
		MsgEnrollNumberPrompt: "Telefonnummer (oder q zum Abbrechen): ",
		MsgEnrollNumberWrong:  "Das ist keine Telefonnummer in der internationalen Form.",
		MsgEnrollNumberCheck: `Ist das die richtige Nummer?

  Nummer  %NUMBER%
  Land    %COUNTRY%
`,
		MsgEnrollCheckPrompt: "Eingabetaste sendet einen Code dorthin, sonst richtige Nummer (q: Ende): ",
		MsgEnrollTextSent:    "Ein Code wurde an %NUMBER% gesendet. Das kann eine Minute dauern.",
		MsgEnrollTextPrompt:  "Code aus der Nachricht (n: neuer Code oder Nummer, q: Ende): ",
		MsgEnrollTextWrong:   "Dieser Code stimmt nicht, oder seine Zeit ist um.",

		MsgEnrollNtfy: `Installieren Sie diese App. Sie ist kostenlos.

  Store                 Suchen nach  Anbieter
  App Store             ntfy         Philipp Heckel
  Google Play, F-Droid  ntfy         Philipp C. Heckel`,
		MsgEnrollNtfyShow: `Scannen Sie das Bild unten mit der Kamera des Telefons und öffnen Sie es in
ntfy. Das Fenster muss %WIDTH% Spalten breit und %LINES% Zeilen hoch sein.
Bei dunkler Schrift auf hellem Grund tippen Sie i, ohne Bild w.

Öffnet sich nichts? Abonnieren Sie in der App ein Thema (oft ein "+"), mit
einem anderen Server:
  Thema   %TOPIC%
  Server  %SERVER%
Läuft dieses Fenster auf dem Telefon selbst? Öffnen Sie diese Adresse:
  %ADDRESS%
Will die App Benutzer und Passwort, bitten Sie %CONTACT% darum.`,
		MsgEnrollNtfyPrompt: "Eingabe, wenn das Thema in der App ist (i: umgekehrt, w: breit, q: Ende): ",
		MsgEnrollDuo: `Installieren Sie diese App, wenn sie noch fehlt. Sie ist kostenlos.

  Store                   Suchen nach  Anbieter
  App Store, Google Play  Duo Mobile   Duo Security`,
		MsgEnrollDuoAddress: `Duo kennt Ihr Telefon noch nicht. Richten Sie es unter dieser Adresse ein:
  %ADDRESS%`,
		MsgEnrollPushTitle:       "Dieses Telefon mit %USER% auf %HOST% verknüpfen?",
		MsgEnrollPushPrompt:      "%NUMBER% am Telefon drücken (nichts anderes), dann hier Eingabetaste: ",
		MsgEnrollPushAllowPrompt: "Die Anfrage am Telefon erlauben, dann hier die Eingabetaste drücken: ",
		MsgEnrollPushAgainPrompt: "Eingabetaste sendet eine Anfrage an das Telefon (oder q zum Abbrechen): ",
		MsgEnrollPushLate:        "Von Ihrem Telefon kam rechtzeitig keine Antwort.",
		MsgEnrollPushDenied:      "Die Anfrage wurde am Telefon abgelehnt. Es wurde nichts eingerichtet.",
		MsgEnrollPushWrong:       "Am Telefon wurde eine andere Zahl gedrückt. Es wurde nichts eingerichtet.\nMelden Sie sich wieder an, um weiterzumachen.",
		MsgEnrollRecoveryPhone: `Das stimmt. Hier sind Ihre Wiederherstellungscodes: Wenn das Telefon
verloren ist, kommen Sie mit jedem einmal hinein. Schreiben Sie sie jetzt
auf und verwahren Sie sie sicher. Sie werden nicht noch einmal gezeigt.`,
	}
}
