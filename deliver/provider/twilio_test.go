package provider

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"twokey/deliver"
	"twokey/deliver/fakes"
)

// byTwilio is a text by a Twilio server.
func byTwilio(url string) *deliver.Request {
	req := text()
	req.Twilio = &deliver.Twilio{AccountSID: fakes.TwilioSID, AuthToken: fakes.TwilioToken, From: fakes.TwilioNumber, URL: url}
	return req
}

// ofTwilio is a request of another kind.
func ofTwilio(url string, kind deliver.Kind) *deliver.Request {
	req := byTwilio(url)
	req.Kind, req.Text = kind, nil
	return req
}

func withKey(req *deliver.Request) {
	req.Twilio.AuthToken, req.Twilio.APIKeySID, req.Twilio.APIKeySecret = "", fakes.TwilioKeySID, fakes.TwilioKeySecret
}

func TestATextByTwilio(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*deliver.Request)
		want   fakes.SMS
	}{
		"from a number":         {func(*deliver.Request) {}, fakes.SMS{From: fakes.TwilioNumber}},
		"from a name":           {func(r *deliver.Request) { r.Twilio.From = fakes.TwilioSender }, fakes.SMS{From: fakes.TwilioSender}},
		"by a service":          {func(r *deliver.Request) { r.Twilio.From, r.Twilio.Service = "", fakes.TwilioService }, fakes.SMS{Service: fakes.TwilioService}},
		"with a key":            {withKey, fakes.SMS{From: fakes.TwilioNumber}},
		"at an address's path":  {func(r *deliver.Request) { r.Twilio.URL += "/" }, fakes.SMS{From: fakes.TwilioNumber}},
		"with a long message":   {func(r *deliver.Request) { r.Text.Message = strings.Repeat("ü", 1600) }, fakes.SMS{From: fakes.TwilioNumber}},
		"with signs in message": {func(r *deliver.Request) { r.Text.Message = "a&To=+1+b%20=;\n" }, fakes.SMS{From: fakes.TwilioNumber}},
	} {
		s := fakes.NewTwilio(t)
		req := byTwilio(s.URL())
		c.change(req)
		got := Run(ctxFor(t), req, nil)
		sent := s.Sent()
		if len(sent) != 1 || got != (deliver.Answer{State: deliver.StateSent, ID: sent[0].SID, Status: "queued"}) {
			t.Errorf("%s: %+v, sent %+v", name, got, sent)
			continue
		}
		c.want.SID, c.want.To, c.want.Body = sent[0].SID, textNumber, req.Text.Message
		if sent[0] != c.want {
			t.Errorf("%s: %+v", name, sent[0])
		}
	}
}

func TestWhatTwilioRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		spoil  func(*fakes.Twilio, *deliver.Request)
		want   deliver.Problem
		detail string
		advice string
	}{
		"a number that is none": {func(s *fakes.Twilio, _ *deliver.Request) { s.Refuse(textNumber, 21211) }, deliver.ProblemNumber,
			"status 400: Invalid 'To' Phone Number: …958 (21211)", "twokey device edit"},
		"a country": {func(s *fakes.Twilio, _ *deliver.Request) { s.Refuse(textNumber, 21408) }, deliver.ProblemRegion,
			"status 400: Permission to send an SMS has not been enabled for the region indicated by the 'To' number: …958 (21408)", "https://console.twilio.com/us1/develop/sms/settings/geo-permissions"},
		"a trial account": {func(s *fakes.Twilio, _ *deliver.Request) { s.Trial("+441632960000") }, deliver.ProblemUnverified,
			"status 400: The number …958 is unverified. Trial accounts cannot send messages to unverified numbers;", "https://console.twilio.com/us1/develop/phone-numbers/manage/verified, or upgrade"},
		"who has sent STOP": {func(s *fakes.Twilio, _ *deliver.Request) { s.Refuse(textNumber, 21610) }, deliver.ProblemBlocked,
			"status 400: Attempt to send to unsubscribed recipient (21610)", "START"},
		"a landline":          {func(s *fakes.Twilio, _ *deliver.Request) { s.Refuse(textNumber, 21614) }, deliver.ProblemNumber, "", "mobile"},
		"a way":               {func(s *fakes.Twilio, _ *deliver.Request) { s.Refuse(textNumber, 21612) }, deliver.ProblemRegion, "", "sender"},
		"a code of its own":   {func(s *fakes.Twilio, _ *deliver.Request) { s.Refuse(textNumber, 29999) }, deliver.ProblemRefused, "(29999)", ""},
		"too many messages":   {func(s *fakes.Twilio, _ *deliver.Request) { s.Refuse(textNumber, 14107) }, deliver.ProblemLimit, "(14107)", "limit"},
		"a day's messages":    {func(s *fakes.Twilio, _ *deliver.Request) { s.Refuse(textNumber, 63038) }, deliver.ProblemLimit, "(63038)", "limit"},
		"to work":             {func(s *fakes.Twilio, _ *deliver.Request) { s.Refuse(textNumber, 20500) }, deliver.ProblemServer, "(20500)", "https://status.twilio.com"},
		"a suspended account": {func(s *fakes.Twilio, _ *deliver.Request) { s.SetStatus("suspended") }, deliver.ProblemRefused, "status 403: Account is not active (20005)", "https://console.twilio.com"},
		"a sender":            {func(_ *fakes.Twilio, r *deliver.Request) { r.Twilio.From = "+15005550001" }, deliver.ProblemRefused, "(21659)", "number or messaging service of this account"},
		"a service":           {func(_ *fakes.Twilio, r *deliver.Request) { r.Twilio.From, r.Twilio.Service = "", "MG0" }, deliver.ProblemRefused, "(21701)", "messaging service"},
		"a token":             {func(_ *fakes.Twilio, r *deliver.Request) { r.Twilio.AuthToken = "wrong0token" }, deliver.ProblemCredentials, "status 401: Authenticate (20003)", "https://console.twilio.com"},
		"a token of bytes":    {func(_ *fakes.Twilio, r *deliver.Request) { r.Twilio.AuthToken = "f0e1 d2c3" }, deliver.ProblemCredentials, "letters and digits only", "auth token"},
		"another account":     {func(_ *fakes.Twilio, r *deliver.Request) { r.Twilio.AccountSID = "AC" + strings.Repeat("0", 32) }, deliver.ProblemCredentials, "(20003)", "account SID"},
		"another, with a key": {func(_ *fakes.Twilio, r *deliver.Request) {
			withKey(r)
			r.Twilio.AccountSID = "AC" + strings.Repeat("0", 32)
		}, deliver.ProblemCredentials, "(20404)", "account SID"},
		"an account that is no": {func(_ *fakes.Twilio, r *deliver.Request) { r.Twilio.AccountSID = "AC/../x" }, deliver.ProblemSettings, "32 hexadecimal digits", "console"},
		"what it took first":    {func(s *fakes.Twilio, _ *deliver.Request) { s.FailLater(30006) }, deliver.ProblemNumber, "the message is failed: Message to …958 failed (30006)", "mobile"},
	} {
		s := fakes.NewTwilio(t)
		req := byTwilio(s.URL())
		c.spoil(s, req)
		got := Run(ctxFor(t), req, nil)
		checkClean(t, req, got)
		if got.State != deliver.StateFailed || got.Problem != c.want || !strings.Contains(got.Detail, c.detail) || !strings.Contains(got.Advice, c.advice) {
			t.Errorf("%s: %+v", name, got)
		}
		if (got.Problem == deliver.ProblemLimit) != (got.Retry == 17*time.Second) {
			t.Errorf("%s: come again in %s", name, got.Retry)
		}
	}
}

// Every advice must come out whole: what is longer than an answer's text is cut.
func TestAdviceOfTwilioIsWhole(t *testing.T) {
	for code, c := range twilioCodes {
		a := (&job{req: byTwilio("")}).clean(failed(twilioCode(&failure{problem: deliver.ProblemRefused, detail: "x", answer: deliver.Answer{Status: code}})))
		if a.Advice != c.advice || a.Problem != c.problem || a.Status != code {
			t.Errorf("%s: %+v", code, a)
		}
	}
}

func TestTwiliosBadDaysHaveTheirWord(t *testing.T) {
	for step, kind := range map[string]deliver.Kind{"message": deliver.KindText, "account": deliver.KindAccount, "messages": deliver.KindCheck} {
		for _, day := range fakes.Days {
			t.Run(step+" "+string(day), func(t *testing.T) {
				t.Parallel()
				s := fakes.NewTwilio(t)
				s.SetDay(step, day)
				req := ofTwilio(s.URL(), kind)
				if kind == deliver.KindText {
					req = byTwilio(s.URL())
				}
				if day == fakes.Slow {
					req.Timeout = 300 * time.Millisecond
				}
				got := Run(ctxFor(t), req, nil)
				checkClean(t, req, got)
				if got.State != deliver.StateFailed || got.Problem != bad[day] {
					t.Errorf("%+v, want %s", got, bad[day])
				}
				if (day == fakes.Busy) != (got.Retry == 17*time.Second) || s.Redirected() != 0 || len(s.Sent()) != 0 {
					t.Errorf("come again in %s, %d followed, %d sent", got.Retry, s.Redirected(), len(s.Sent()))
				}
			})
		}
	}
}

func TestTwiliosCertificateIsVerified(t *testing.T) {
	s := fakes.NewTwilioTLS(t)
	req := byTwilio(s.URL())
	if got := Run(ctxFor(t), req, nil); got.Problem != deliver.ProblemTLS || len(s.Sent()) != 0 {
		t.Errorf("a stranger's certificate: %+v", got)
	}
	if got := run(ctxFor(t), network{roots: s.Roots()}, req, nil); got.State != deliver.StateSent {
		t.Errorf("a good certificate: %+v", got)
	}
	req.Twilio.URL = "http://api.twilio.com"
	if got := Run(ctxFor(t), req, nil); got.Problem != deliver.ProblemSettings {
		t.Errorf("http: %+v", got)
	}
}

// The library takes another host from these; twokey-notify has no environment, and what comes of it would be refused.
func TestTheSurroundingsDoNotSayWhichTwilio(t *testing.T) {
	t.Setenv("TWILIO_REGION", "au1")
	t.Setenv("TWILIO_EDGE", "sydney")
	s := fakes.NewTwilio(t)
	if got := Run(ctxFor(t), byTwilio(s.URL()), nil); got.Problem != deliver.ProblemSettings || len(s.Sent()) != 0 {
		t.Errorf("%+v", got)
	}
}

func TestAnAccountWithTwilio(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*fakes.Twilio, *deliver.Request)
		want   deliver.Account
		advice string
	}{
		"a full one":              {func(*fakes.Twilio, *deliver.Request) {}, deliver.Account{Name: "Example Org", State: "full", Balance: "12.34 USD"}, ""},
		"one for a trial":         {func(s *fakes.Twilio, _ *deliver.Request) { s.Trial() }, deliver.Account{Name: "Example Org", State: "trial", Balance: "12.34 USD"}, "verified"},
		"one without its balance": {func(s *fakes.Twilio, _ *deliver.Request) { s.SetDay("balance", fakes.HTML) }, deliver.Account{Name: "Example Org", State: "full"}, ""},
	} {
		s := fakes.NewTwilio(t)
		req := ofTwilio(s.URL(), deliver.KindAccount)
		c.change(s, req)
		got := Run(ctxFor(t), req, nil)
		checkClean(t, req, got)
		if got.State != deliver.StateOK || *got.Account != c.want || !strings.Contains(got.Advice, c.advice) || (c.advice == "") != (got.Advice == "") {
			t.Errorf("%s: %+v, %+v", name, got, got.Account)
		}
	}
	s := fakes.NewTwilio(t)
	req := ofTwilio(s.URL(), deliver.KindAccount)
	withKey(req)
	if got := Run(ctxFor(t), req, nil); got.State != deliver.StateOK || got.Account != nil || !strings.Contains(got.Advice, "API key") {
		t.Errorf("a key: %+v", got)
	}
	req.Twilio.APIKeySecret = "wrong"
	if got := Run(ctxFor(t), req, nil); got.Problem != deliver.ProblemCredentials || !strings.Contains(got.Advice, "API keys") {
		t.Errorf("a wrong key: %+v", got)
	}
	s.SetStatus("suspended")
	if got := Run(ctxFor(t), ofTwilio(s.URL(), deliver.KindAccount), nil); got.Problem != deliver.ProblemRefused || got.Detail != "the account is suspended" {
		t.Errorf("a suspended one: %+v", got)
	}
	if got := Run(ctxFor(t), ofTwilio(s.URL(), deliver.KindCheck), nil); got.State != deliver.StateOK || len(s.Sent()) != 0 {
		t.Errorf("a check: %+v", got)
	}
}

// JSON that is not Twilio's is no success.
func TestWhatIsNotTwilios(t *testing.T) {
	for _, answer := range []string{`{}`, `[]`, `null`, `"sent"`, `{"sid":"SM0"}`, `{"status":"queued"}`, `{"sid":7,"status":"queued"}`, `{"sid":"","status":""}`, `{"sid":null,"status":null}`} {
		for _, kind := range []deliver.Kind{deliver.KindText, deliver.KindAccount, deliver.KindCheck} {
			req := ofTwilio("https://api.twilio.com", kind)
			if kind == deliver.KindText {
				req = byTwilio("https://api.twilio.com")
			}
			got := run(ctxFor(t), network{transport: saying(200, "application/json", answer)}, req, nil)
			if got.Problem != deliver.ProblemAnswer && got.Problem != deliver.ProblemRefused {
				t.Errorf("%s, %s: %+v", kind, answer, got)
			}
		}
	}
}

// Nor is what calls itself something else than JSON.
func TestATextThatAPageSaysIsSent(t *testing.T) {
	const good = `{"sid":"SM00112233445566778899aabbccddeeff","status":"queued"}`
	for contentType, want := range map[string]deliver.State{
		"application/json": deliver.StateSent, "application/json;charset=utf-8": deliver.StateSent,
		"text/html": deliver.StateFailed, "text/plain": deliver.StateFailed, "": deliver.StateFailed, "application/json/x": deliver.StateFailed,
	} {
		got := run(ctxFor(t), network{transport: saying(201, contentType, good)}, byTwilio("https://api.twilio.com"), nil)
		if got.State != want || want == deliver.StateFailed && got.Problem != deliver.ProblemAnswer {
			t.Errorf("%q: %+v", contentType, got)
		}
	}
}

// saying is a service that gives one answer.
func saying(status int, contentType, body string) roundTrip {
	return func(r *http.Request) *http.Response {
		recorder := httptest.NewRecorder()
		recorder.Header().Set("Content-Type", contentType)
		recorder.WriteHeader(status)
		recorder.WriteString(body)
		response := recorder.Result()
		response.Request = r
		return response
	}
}

// twilioSeeds are answers; their number is counted.
var twilioSeeds = []struct {
	status int
	body   string
}{
	{201, `{"sid":"SM00112233445566778899aabbccddeeff","status":"queued"}`},
	{201, `{"sid":"SM0","status":"failed","error_code":30003,"error_message":"to +442079460958"}`},
	{200, `{"sid":"AC0123456789abcdef0123456789abcdef","type":"Trial","status":"active","friendly_name":"\u001b[2J"}`},
	{200, `{"messages":[]}`},
	{400, `{"code":21608,"message":"The number +442079460958 is unverified","status":400}`},
	{401, `{"code":20003,"message":"f0e1d2c3b4a5968778695a4b3c2d1e0f","status":401}`},
	{429, `{"code":"20429"}`},
}

// FuzzTwilio: whatever is answered, a clean line comes out, and no success of what is none.
func FuzzTwilio(f *testing.F) {
	if len(twilioSeeds) != 7 {
		f.Fatalf("%d seeds", len(twilioSeeds))
	}
	for _, s := range twilioSeeds {
		f.Add(s.status, s.body)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 {
			return
		}
		for _, kind := range []deliver.Kind{deliver.KindText, deliver.KindAccount, deliver.KindCheck} {
			req := ofTwilio("https://api.twilio.com", kind)
			if kind == deliver.KindText {
				req = byTwilio("https://api.twilio.com")
			}
			got := run(ctxFor(t), network{transport: saying(status, "application/json", body)}, req, nil)
			checkClean(t, req, got)
			if status >= 300 && got.State != deliver.StateFailed {
				t.Errorf("%d %q: %+v", status, body, got)
			}
		}
	})
}

func TestFiftyTextsAtOnce(t *testing.T) {
	s := fakes.NewTwilio(t)
	ctx := ctxFor(t)
	answers := make(chan deliver.Answer, 50)
	for i := range 50 {
		req := byTwilio(s.URL())
		req.Text.Number = fmt.Sprintf("+4420794609%02d", i)
		go func() { answers <- Run(ctx, req, nil) }()
	}
	for range 50 {
		if got := <-answers; got.State != deliver.StateSent {
			t.Errorf("%+v", got)
		}
	}
	var numbers []string
	for _, m := range s.Sent() {
		numbers = append(numbers, m.To)
	}
	slices.Sort(numbers)
	if len(slices.Compact(numbers)) != 50 {
		t.Errorf("%d numbers", len(numbers))
	}
}
