package provider

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"twokey/deliver"
	"twokey/deliver/fakes"
)

// byDuo is a question by a Duo server.
func byDuo(url, factor string) *deliver.Request {
	return &deliver.Request{
		Kind: deliver.KindPush, Connect: 5 * time.Second, Timeout: 20 * time.Second, Wait: 20 * time.Second,
		Duo: &deliver.Duo{Host: fakes.DuoHost, IntegrationKey: fakes.DuoIntegrationKey, SecretKey: fakes.DuoSecretKey, URL: url},
		Push: &deliver.Push{
			Title: "Log in to web1?", User: "alice", Factor: factor, From: "2001:db8::7",
			Facts: []deliver.Fact{{Name: "Login as", Value: "alice & co"}, {Name: "From", Value: "2001:db8::7"}, {Name: "Ort", Value: "Köln*'()~"}},
		},
	}
}

func withPasscode(url, typed string) *deliver.Request {
	req := byDuo(url, "passcode")
	req.Push.Passcode = typed
	return req
}

func checkOfDuo(url string) *deliver.Request {
	req := byDuo(url, "")
	req.Kind, req.Push, req.Wait = deliver.KindCheck, nil, 0
	return req
}

func TestAQuestionByDuo(t *testing.T) {
	for status, c := range map[string]struct {
		factor string
		want   deliver.Answer
	}{
		"allow":       {"push", deliver.Answer{State: deliver.StateAllow, Status: "allow", Detail: "Success. Logging you in..."}},
		"deny":        {"push", deliver.Answer{State: deliver.StateDeny, Status: "deny", Detail: "Login request denied."}},
		"fraud":       {"phone", deliver.Answer{State: deliver.StateDeny, Status: "fraud", Detail: "reported as fraud: Login request reported as fraudulent."}},
		"timeout":     {"phone", deliver.Answer{State: deliver.StateTimeout, Status: "timeout", Detail: "Login request timed out."}},
		"locked_out":  {"push", deliver.Answer{State: deliver.StateFailed, Problem: deliver.ProblemRefused, Status: "locked_out", Detail: "(locked_out)", Advice: "see the user's authentication log at https://admin.duosecurity.com"}},
		"push_failed": {"push", deliver.Answer{State: deliver.StateFailed, Problem: deliver.ProblemRefused, Status: "push_failed", Detail: "(push_failed)", Advice: "see the user's authentication log at https://admin.duosecurity.com"}},
	} {
		d := fakes.NewDuo(t)
		d.User("alice", fakes.DuoUser{})
		h, ctx := newHeard(), ctxFor(t)
		seen := make(chan fakes.DuoQuestion, 1)
		go func() {
			q, err := d.Question(ctx)
			if err == nil {
				<-h.sent
				d.Answer(q.TxID, status)
			}
			seen <- q
		}()
		got := Run(ctx, byDuo(d.URL(), c.factor), h.say)
		q := <-seen
		if got != c.want || !slices.Equal(h.states(), []deliver.State{deliver.StateSent}) {
			t.Errorf("%s: %+v, said %v", status, got, h.states())
		}
		if q.User != "alice" || q.Factor != c.factor || q.From != "2001:db8::7" {
			t.Errorf("%s: %+v", status, q)
		}
		wantType, wantInfo := "Log in to web1", "Login%20as=alice%20%26%20co&From=2001%3Adb8%3A%3A7&Ort=K%C3%B6ln%2A%27%28%29~"
		if c.factor == "phone" {
			wantType, wantInfo = "", ""
		}
		if q.Type != wantType || q.Info != wantInfo {
			t.Errorf("%s: the phone shows %q, %q", status, q.Type, q.Info)
		}
	}
}

func TestWhatDuoDecidesWithoutAPhone(t *testing.T) {
	for name, c := range map[string]struct {
		user fakes.DuoUser
		want deliver.Answer
	}{
		"allow": {fakes.DuoUser{Policy: "allow"}, deliver.Answer{State: deliver.StateAllow, Status: "bypass", Detail: "without a question, by Duo's policy: Bypass user"}},
		"deny":  {fakes.DuoUser{Policy: "deny"}, deliver.Answer{State: deliver.StateDeny, Detail: "by Duo's policy: Your account is disabled"}},
		"no device for it": {fakes.DuoUser{Capabilities: []string{"sms", "phone"}}, deliver.Answer{State: deliver.StateFailed, Problem: deliver.ProblemRefused,
			Detail: "the user has no device with Duo that takes a push", Advice: "add one at https://admin.duosecurity.com, or let the user activate Duo Mobile"}},
	} {
		d := fakes.NewDuo(t)
		d.User("alice", c.user)
		h := newHeard()
		if got := Run(ctxFor(t), byDuo(d.URL(), "push"), h.say); got != c.want || len(h.states()) != 0 {
			t.Errorf("%s: %+v, said %v", name, got, h.states())
		}
		if !slices.Equal(d.Requests(), []string{"POST /auth/v2/preauth"}) {
			t.Errorf("%s: %v", name, d.Requests())
		}
	}
	d := fakes.NewDuo(t)
	got := Run(ctxFor(t), byDuo(d.URL(), "push"), newHeard().say)
	if got.Problem != deliver.ProblemEnroll || got.EnrollURL != fakes.DuoEnrollURL || got.Advice == "" {
		t.Errorf("enroll: %+v", got)
	}
	checkClean(t, byDuo(d.URL(), "push"), got)
}

func TestOnlyAGoodAddressIsShown(t *testing.T) {
	for address, good := range map[string]bool{
		fakes.DuoEnrollURL: true, "": false, "http://api.duosecurity.com/portal": false, "https://": false, "javascript:alert(1)": false, "https://a b": false,
		"https://duo.com/\x1b[2J": false, "https://duo.com/\u202e": false, "https://user@duo.com": false, "https://duo.com/" + strings.Repeat("a", 200): false,
	} {
		if got := enrollAddress(address); (got == address) != good && address != "" || !good && got != "" {
			t.Errorf("%q: %q", address, got)
		}
	}
}

func TestAPasscodeOfDuo(t *testing.T) {
	d := fakes.NewDuo(t)
	d.User("alice", fakes.DuoUser{Passcodes: []string{"7391045"}, Capabilities: []string{}})
	d.User("bob", fakes.DuoUser{Status: "locked_out"})
	d.User("carol", fakes.DuoUser{Policy: "allow"})
	if got := Run(ctxFor(t), withPasscode(d.URL(), "7391045"), nil); got.State != deliver.StateAllow || got.Status != "allow" {
		t.Errorf("right: %+v", got)
	}
	for name, c := range map[string]struct{ typed, user, detail string }{
		"used":       {"7391045", "alice", "Incorrect passcode. Please try again."},
		"wrong":      {"000000", "alice", "Incorrect passcode. Please try again."},
		"locked out": {"000000", "bob", "Your account is locked out"},
		"let in":     {"000000", "carol", "Duo's policy asks for no passcode, so none was looked at: Bypass user"},
	} {
		req := withPasscode(d.URL(), c.typed)
		req.Push.User = c.user
		if got := Run(ctxFor(t), req, nil); got.State != deliver.StateDeny || got.Detail != c.detail {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestNobodyAnswersDuo(t *testing.T) {
	d := fakes.NewDuo(t)
	d.User("alice", fakes.DuoUser{})
	req, h := byDuo(d.URL(), "push"), newHeard()
	req.Wait = 100 * time.Millisecond
	if got := Run(ctxFor(t), req, h.say); got.State != deliver.StateTimeout || !slices.Equal(h.states(), []deliver.State{deliver.StateSent}) {
		t.Errorf("%+v, said %v", got, h.states())
	}
}

// MUST be signed anew when it is sent again, with its whole body; MUST NOT be sent again later than its time.
func TestABusyDuoIsAskedAgainInTime(t *testing.T) {
	d := fakes.NewDuo(t)
	d.User("alice", fakes.DuoUser{Passcodes: []string{"7391045"}})
	d.BusyFor("auth", 1)
	if got := Run(ctxFor(t), withPasscode(d.URL(), "7391045"), nil); got.State != deliver.StateAllow {
		t.Errorf("busy once: %+v", got)
	}
	if got := d.Requests(); !slices.Equal(got, []string{"POST /auth/v2/preauth", "POST /auth/v2/auth", "POST /auth/v2/auth"}) {
		t.Errorf("%v", got)
	}
	d.BusyFor("preauth", 1000)
	req := withPasscode(d.URL(), "7391045")
	req.Timeout = 900 * time.Millisecond // and Duo asks for a second
	if got := Run(ctxFor(t), req, nil); got.Problem != deliver.ProblemLimit || got.Retry != time.Second || got.Advice == "" {
		t.Errorf("busy for long: %+v", got)
	}
	if got := d.Requests(); len(got) != 4 {
		t.Errorf("asked again: %v", got)
	}
}

func TestWhatDuoHasNoParameterFor(t *testing.T) {
	answer := saying(400, "application/json", `{"stat":"FAIL","code":40002,"message":"Invalid request parameters","message_detail":"username"}`)
	got := run(ctxFor(t), network{transport: answer}, byDuo("https://"+fakes.DuoHost, "push"), nil)
	if got.Problem != deliver.ProblemRefused || got.Detail != "status 400: Invalid request parameters: username (40002)" {
		t.Errorf("%+v", got)
	}
}

func TestAStateThatCannotBeHadIsAskedForAgain(t *testing.T) {
	d := fakes.NewDuo(t)
	d.User("alice", fakes.DuoUser{})
	d.SetDay("auth_status", fakes.Reset)
	h, ctx := newHeard(), ctxFor(t)
	go func() {
		q, err := d.Question(ctx)
		if err != nil {
			return
		}
		d.Answer(q.TxID, "allow")
		for countOf(d, "GET /auth/v2/auth_status") < 2 {
			time.Sleep(time.Millisecond)
		}
		d.SetDay("auth_status", fakes.Good)
	}()
	if got := Run(ctx, byDuo(d.URL(), "push"), h.say); got.State != deliver.StateAllow {
		t.Errorf("%+v", got)
	}
	d.SetDay("auth_status", fakes.Broken)
	if got := Run(ctx, byDuo(d.URL(), "push"), newHeard().say); got.Problem != deliver.ProblemServer || !strings.Contains(got.Advice, "status.duo.com") {
		t.Errorf("broken for good: %+v", got)
	}
}

func countOf(d *fakes.Duo, request string) int {
	n := 0
	for _, r := range d.Requests() {
		if r == request {
			n++
		}
	}
	return n
}

func TestWhoDuoDoesNotKnow(t *testing.T) {
	for name, c := range map[string]struct {
		spoil  func(*fakes.Duo, *deliver.Request)
		detail string
		advice string
	}{
		"an integration key": {func(_ *fakes.Duo, r *deliver.Request) { r.Duo.IntegrationKey = "DI00000000000000000" }, "status 401: Invalid integration key in request credentials (40102)", "push setup"},
		"a secret key":       {func(_ *fakes.Duo, r *deliver.Request) { r.Duo.SecretKey = "wrong" }, "status 401: Invalid signature in request credentials (40103)", "secret key is not that of"},
		"a host":             {func(_ *fakes.Duo, r *deliver.Request) { r.Duo.Host = "api-x.duosecurity.com" }, "status 401: Invalid signature in request credentials (40103)", "API host"},
		"a clock ahead":      {func(d *fakes.Duo, _ *deliver.Request) { d.Shift(-6 * time.Minute) }, "status 401: Bad request timestamp (40105)", "NTP"},
		"a clock behind":     {func(d *fakes.Duo, _ *deliver.Request) { d.Shift(6 * time.Minute) }, "status 401: Bad request timestamp (40105)", "NTP"},
	} {
		for _, req := range []*deliver.Request{byDuo("", "push"), checkOfDuo("")} {
			d := fakes.NewDuo(t)
			d.User("alice", fakes.DuoUser{})
			req.Duo.URL = d.URL()
			c.spoil(d, req)
			got := Run(ctxFor(t), req, nil)
			checkClean(t, req, got)
			if got.Problem != deliver.ProblemCredentials || got.Detail != c.detail || !strings.Contains(got.Advice, c.advice) {
				t.Errorf("%s, %s: %+v", name, req.Kind, got)
			}
		}
	}
}

func TestACheckOfDuo(t *testing.T) {
	d := fakes.NewDuo(t)
	for _, kind := range []deliver.Kind{deliver.KindCheck, deliver.KindAccount} {
		req := checkOfDuo(d.URL())
		req.Kind = kind
		if got := Run(ctxFor(t), req, nil); got.State != deliver.StateOK || *got.Account != (deliver.Account{Name: fakes.DuoHost}) || got.Advice != "" {
			t.Errorf("%s: %+v", kind, got)
		}
	}
	d.Shift(2 * time.Minute)
	if got := Run(ctxFor(t), checkOfDuo(d.URL()), nil); got.State != deliver.StateOK || !strings.Contains(got.Advice, "clock is -") {
		t.Errorf("%+v", got)
	}
}

func TestDuosBadDaysHaveTheirWord(t *testing.T) {
	for _, step := range []string{"preauth", "auth", "check"} {
		for _, day := range fakes.Days {
			t.Run(step+" "+string(day), func(t *testing.T) {
				t.Parallel()
				d := fakes.NewDuo(t)
				d.User("alice", fakes.DuoUser{})
				d.SetDay(step, day)
				req := byDuo(d.URL(), "push")
				if step == "check" {
					req = checkOfDuo(d.URL())
				}
				if day == fakes.Slow {
					req.Timeout = 300 * time.Millisecond
				}
				if day == fakes.Busy {
					req.Timeout = 10 * time.Second // and it is to come again in 17
				}
				h := newHeard()
				got := Run(ctxFor(t), req, h.say)
				checkClean(t, req, got)
				if got.State != deliver.StateFailed || got.Problem != bad[day] || len(h.states()) != 0 {
					t.Errorf("%+v, want %s, said %v", got, bad[day], h.states())
				}
				if (day == fakes.Busy) != (got.Retry == 17*time.Second) || d.Redirected() != 0 {
					t.Errorf("come again in %s, %d followed", got.Retry, d.Redirected())
				}
			})
		}
	}
}

// While it is waited for somebody, what is no refusal of the person's is none.
func TestDuosBadDaysWhileWaiting(t *testing.T) {
	for _, day := range fakes.Days {
		t.Run(string(day), func(t *testing.T) {
			t.Parallel()
			d := fakes.NewDuo(t)
			d.User("alice", fakes.DuoUser{})
			d.SetDay("auth_status", day)
			req, h := byDuo(d.URL(), "push"), newHeard()
			req.Wait = 4 * time.Second
			want := deliver.Answer{State: deliver.StateFailed, Problem: bad[day]}
			if day == fakes.Slow {
				req.Wait, want = 300*time.Millisecond, deliver.Answer{State: deliver.StateTimeout}
			}
			got := Run(ctxFor(t), req, h.say)
			checkClean(t, req, got)
			if got.State != want.State || got.Problem != want.Problem || !slices.Equal(h.states(), []deliver.State{deliver.StateSent}) {
				t.Errorf("%+v, want %+v, said %v", got, want, h.states())
			}
		})
	}
}

func TestDuosCertificateIsVerified(t *testing.T) {
	d := fakes.NewDuoTLS(t)
	if got := Run(ctxFor(t), checkOfDuo(d.URL()), nil); got.Problem != deliver.ProblemTLS || len(d.Requests()) != 0 {
		t.Errorf("a stranger's certificate: %+v", got)
	}
	if got := run(ctxFor(t), network{roots: d.Roots()}, checkOfDuo(d.URL()), nil); got.State != deliver.StateOK {
		t.Errorf("a good certificate: %+v", got)
	}
}

// MUST be signed over its time, method, host, path and parameters.
func TestASignatureIsOverAllOfARequest(t *testing.T) {
	c := &duoClient{with: &deliver.Duo{Host: fakes.DuoHost, IntegrationKey: fakes.DuoIntegrationKey, SecretKey: fakes.DuoSecretKey}}
	signatures := map[string]bool{c.authorization("date", "GET", "/path", "a=b"): true}
	for _, parts := range [][4]string{{"data", "GET", "/path", "a=b"}, {"date", "POST", "/path", "a=b"}, {"date", "GET", "/pat", "a=b"}, {"date", "GET", "/path", "a=c"}} {
		signatures[c.authorization(parts[0], parts[1], parts[2], parts[3])] = true
	}
	c.with.Host = "api-x.duosecurity.com"
	signatures[c.authorization("date", "GET", "/path", "a=b")] = true
	if len(signatures) != 6 {
		t.Errorf("%d signatures of 6 requests", len(signatures))
	}
}

// Vectors that Duo's own clients are tested with (duosecurity/duo_client_python): parameters beyond ASCII, and a host in mixed letters.
func TestASignatureAsDuosClientsMakeIt(t *testing.T) {
	params := url.Values{
		"\u469a\u287b\u35d0\u8ef3\u6727\u502a\u0810\ud091\u00c8\uc170": {"\u0f45\u1a76\u341a\u654c\uc23f\u9b09\uabe2\u8343\u1b27\u60d0"},
		"\u7449\u7e4b\uccfb\u59ff\ufe5f\u83b7\uadcc\u900c\ucfd1\u7813": {"\u8db7\u5022\u92d3\u42ef\u207d\u8730\uacfe\u5617\u0946\u4e30"},
		"\u7470\u9314\u901c\u9eae\u40d8\u4201\u82d8\u8c70\u1d31\ua042": {"\u17d9\u0ba8\u9358\uaadf\ua42a\u48be\ufb96\u6fe9\ub7ff\u32f3"},
		"\uc2c5\u2c1d\u2620\u3617\u96b3F\u8605\u20e8\uac21\u5934":      {"\ufba9\u41aa\ubd83\u840b\u2615\u3e6e\u652d\ua8b5\ud56bU"},
	}
	c := &duoClient{with: &deliver.Duo{Host: "foO.BAr52.cOm", IntegrationKey: "test_ikey", SecretKey: "gtdfxv9YgVBYcF6dl2Eq17KUQJN2PLM2ODVTkvoT"}}
	got := c.authorization("Fri, 07 Dec 2012 17:18:00 -0000", "POST", "/Foo/BaR2/qux", canonicalParams(params))
	want := "test_ikey:0508065035a03b2a1de2f453e629e791d180329e157f65df6b3e0f08299d4321" +
		"e1c5c7a7c7ee6b9e5fc80d1fb6fbf3ad5eb7c44dd3b3985a02c37aca53ec3698"
	if got != "Basic "+base64.StdEncoding.EncodeToString([]byte(want)) {
		t.Errorf("%s", got)
	}
	if got, want := canonicalParams(url.Values{"username": {"root"}, "realname": {"First Last"}}), "realname=First%20Last&username=root"; got != want {
		t.Errorf("%s", got)
	}
}

var duoSeeds = []struct {
	status int
	body   string
}{
	{200, `{"stat":"OK","response":{"result":"auth","status_msg":"\u001b[2J","devices":[{"capabilities":["push"]}]}}`},
	{200, `{"stat":"OK","response":{"result":"enroll","enroll_portal_url":"https://duo.com/\u202e"}}`},
	{200, `{"stat":"OK","response":{"result":"allow","status":"allow","status_msg":"7391045","txid":"x"}}`},
	{200, `{"stat":"OK","response":{"result":"deny","status":"fraud","time":1e300}}`},
	{200, `{"stat":"OK","response":null}`},
	{200, `{"stat":"FAIL","response":{"result":"allow"}}`},
	{400, `{"stat":"FAIL","code":40002,"message":"Zh5eGmUq9zpfQnyUIu5OL9iWoMMv5ZNmk3zLJ4Ep"}`},
}

// FuzzDuo: whatever is answered, a clean line comes out, and nobody is let in by an answer that is not Duo's.
func FuzzDuo(f *testing.F) {
	if len(duoSeeds) != 7 {
		f.Fatalf("%d seeds", len(duoSeeds))
	}
	for _, s := range duoSeeds {
		f.Add(s.status, s.body)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 || status == 429 {
			return
		}
		with := network{transport: saying(status, "application/json", body)}
		push := byDuo("https://"+fakes.DuoHost, "push")
		push.Wait = time.Millisecond
		for _, req := range []*deliver.Request{push, withPasscode("https://"+fakes.DuoHost, "7391045"), checkOfDuo("https://" + fakes.DuoHost)} {
			got := run(ctxFor(t), with, req, func(deliver.Answer) error { return nil })
			checkClean(t, req, got)
			if got.State == deliver.StateAllow && (status >= 300 || !strings.Contains(strings.ToLower(body), "allow") && !strings.Contains(body, `\u`)) {
				t.Errorf("%d %q: %+v", status, body, got)
			}
		}
	})
}
