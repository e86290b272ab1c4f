package sheet

import (
	"bytes"
	"fmt"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"twokey/factor"
	"twokey/secrets"
)

// hostile is text that people choose, and that would be markup, a link, or another direction of writing if it was not made text.
const hostile = `<b onclick="alert(1)">O'Neil & "Söhne"</b><img src=http://example.org/x> ` + "\u202egro"

// sample is what a page is made of. Its dates are local, as those of the page.
func sample(t *testing.T, change func(*Data)) Data {
	t.Helper()
	d := Data{User: "alice", FullName: "Alice Example", Host: "web1.example.org", Contact: "the IT desk, +44 20 7946 0958",
		HelpURL: "https://intranet.example.org/2fa", Language: "en",
		Device: secrets.Device{Name: "phone", Method: "totp", Secret: []byte("12345678901234567890"), Digits: 6, Period: 30, Algorithm: "SHA1",
			Issuer: "Example Ltd", Label: "alice@web1", Created: time.Date(2026, 11, 22, 9, 0, 0, 0, time.Local)}}
	for i := range 10 {
		d.RecoveryCodes = append(d.RecoveryCodes, fmt.Sprintf("abcd-efgh-jk%02d", i))
	}
	if change != nil {
		change(&d)
	}
	p := factor.Params{Method: factor.Method(d.Device.Method), Secret: d.Device.Secret, Digits: d.Device.Digits, Period: d.Device.Period,
		Algorithm: factor.Algorithm(d.Device.Algorithm)}
	var err error
	if d.URI, err = factor.URI(d.Device.Label, d.Device.Issuer, p, d.Device.Counter); err != nil {
		t.Fatal(err)
	}
	return d
}

// samples are the pages that are drawn by a browser.
func samples(t *testing.T) map[string]Data {
	return map[string]Data{
		"a usual one": sample(t, nil),
		"in German":   sample(t, func(d *Data) { d.Language, d.Contact = "de", "den Helpdesk" }),
		"with names full of markup": sample(t, func(d *Data) {
			d.User, d.FullName, d.Host, d.Contact, d.HelpURL = hostile, hostile, hostile, hostile, hostile
			d.Device.Name, d.Device.Issuer, d.Device.Label = hostile[:30], `<i>"A&B's"`, `<u>o'neil&"x"`
		}),
		"with no recovery codes, by counter": sample(t, func(d *Data) {
			d.RecoveryCodes, d.Device.Method, d.Device.Period, d.Device.Counter = nil, "hotp", 0, 7
			d.Device.Until = time.Date(2027, 1, 1, 0, 0, 0, 0, time.Local)
		}),
		"with the longest of everything": sample(t, func(d *Data) {
			d.Device.Secret, d.Device.Algorithm, d.Device.Digits = bytes.Repeat([]byte{0xa5, 7}, 64), "SHA512", 12
			d.Device.Issuer, d.Device.Label, d.FullName = strings.Repeat("Ü", 64), strings.Repeat("w", 128), strings.Repeat("Wiłkończyk ", 5)
			d.RecoveryCodes, d.Language = append(d.RecoveryCodes, d.RecoveryCodes...), "de"
			d.Contact, d.HelpURL = strings.Repeat("den Helpdesk ", 4), "https://intranet.example.org/"+strings.Repeat("hilfe/", 6)
		}),
	}
}

func makePage(t *testing.T, d Data) string {
	t.Helper()
	content, err := Page(d)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// chromium runs a browser on a page that is the only file in a folder, and returns the file that it has made, or, with result "", what it prints.
func chromium(t *testing.T, page, result string, flags ...string) []byte {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "page.html"), []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	made := filepath.Join(dir, result)
	args := append([]string{"--headless", "--no-sandbox", "--disable-gpu", "--disable-software-rasterizer", "--user-data-dir=" + filepath.Join(dir, "profile")}, flags...)
	cmd := exec.Command("chromium", append(args, "file://"+filepath.Join(dir, "page.html"))...)
	for i, arg := range cmd.Args {
		cmd.Args[i] = strings.ReplaceAll(arg, "RESULT", made)
	}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("chromium: %v: %s", err, out)
	}
	if result == "" {
		return out
	}
	content, err := os.ReadFile(made)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestTheQRCodeIsReadOffTheScreen(t *testing.T) {
	for name, d := range samples(t) {
		t.Run(name, func(t *testing.T) {
			png := chromium(t, makePage(t, d), "page.png", "--window-size=1000,1500", "--force-device-scale-factor=2", "--screenshot=RESULT")
			picture := filepath.Join(t.TempDir(), "page.png")
			if err := os.WriteFile(picture, png, 0o600); err != nil {
				t.Fatal(err)
			}
			read, err := exec.Command("zbarimg", "--quiet", "--raw", picture).Output()
			if err != nil || strings.TrimSuffix(string(read), "\n") != d.URI {
				t.Errorf("read %q, %v, want %q", read, err, d.URI)
			}
		})
	}
}

var pages = regexp.MustCompile(`/Type\s*/Pages\b[^>]*?/Count\s+(\d+)|/Count\s+(\d+)[^>]*?/Type\s*/Pages\b`)
var paper = regexp.MustCompile(`/MediaBox\s*\[\s*0 0 (\d+)[.\d]* (\d+)`)

func TestItIsOnePageOnEitherPaper(t *testing.T) {
	for size, points := range map[string]string{"A4": "59[456] 84[123]", "letter": "612 792"} {
		for _, name := range []string{"a usual one", "with the longest of everything"} {
			d := samples(t)[name]
			t.Run(size+" "+name, func(t *testing.T) {
				const margins = "@page { margin"
				content := makePage(t, d)
				sized := strings.Replace(content, margins, "@page { size: "+size+"; margin", 1)
				sized = regexp.MustCompile(`content="default-src[^"]*"`).ReplaceAllString(sized, "") // which forbids a style that was changed
				if strings.Contains(sized, "sha256-") || !strings.Contains(sized, size) {
					t.Fatal("the page is not as this test expects")
				}
				pdf := string(chromium(t, sized, "page.pdf", "--no-pdf-header-footer", "--print-to-pdf=RESULT"))
				found := pages.FindStringSubmatch(pdf)
				if found == nil || found[1]+found[2] != "1" {
					t.Errorf("pages: %q", found)
				}
				if box := paper.FindStringSubmatch(pdf); box == nil || !regexp.MustCompile("^"+points+"$").MatchString(box[1]+" "+box[2]) {
					t.Errorf("paper: %q", box)
				}
			})
		}
	}
}

// What the browser has made of the page is what its reader sees.
func TestWhatPeopleChooseStaysText(t *testing.T) {
	d := samples(t)["with names full of markup"]
	content := makePage(t, d)
	for _, markup := range []string{"<b ", "<img", "<i>", "<u>", "onclick=\"", "\u202e"} {
		if strings.Contains(content, markup) {
			t.Errorf("%q is in the page", markup)
		}
	}
	dom := string(chromium(t, content, "", "--dump-dom"))
	if !strings.Contains(dom, "<h2>") || regexp.MustCompile(`<(i|u|img)\b|<b [^>]`).MatchString(dom) {
		t.Errorf("the browser sees\n%s", dom)
	}
	text := html.UnescapeString(regexp.MustCompile(`(?s)<style>.*?</style>|<[^>]*>`).ReplaceAllString(content, ""))
	for _, want := range []string{strings.ReplaceAll(hostile, "\u202e", "?"), d.Device.Issuer, d.Device.Label} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not to be read in %q", want, text)
		}
	}
}

// loads are the ways in which a page has something fetched or run, or leads elsewhere.
var loads = regexp.MustCompile(`(?i)<(script|link|img|iframe|object|embed|base|a|form|video|audio|image|use|foreignObject)\b|\s(src|href|srcset|action|data|poster|background|on[a-z]+|style)\s*=|@import|url\(|http-equiv="refresh"`)

// tags are what a browser does not show as text; our text has no < that begins one.
var tags = regexp.MustCompile(`<[^>]*>`)

func TestThePageIsCompleteInItself(t *testing.T) {
	for name, d := range samples(t) {
		content := makePage(t, d)
		if found := loads.FindAllString(strings.Join(tags.FindAllString(content, -1), "\n")+style, -1); found != nil {
			t.Errorf("%s: %q", name, found)
		}
		for _, policy := range []string{"default-src &#39;none&#39;", "base-uri &#39;none&#39;", "form-action &#39;none&#39;", "style-src &#39;sha256-"} {
			if !strings.Contains(content, policy) {
				t.Errorf("%s: no %s", name, policy)
			}
		}
		if strings.Contains(content, "unsafe-inline") {
			t.Errorf("%s: the policy lets any style in", name)
		}
		head, _, _ := strings.Cut(content, "</title>")
		if key := factor.EncodeSecret(d.Device.Secret); strings.Contains(head, key[:8]) || strings.Contains(head, key[:4]+" "+key[4:8]) {
			t.Errorf("%s: the secret is in the head", name)
		}
	}
	if len(loads.FindAllString(`<script>x</script><img src="x"><a href=x><p onclick=x style="a:url(x)">`, -1)) < 8 {
		t.Error("this test does not find what it looks for")
	}
}

// The browser obeys the policy: the page's own style counts, and another's, or a script, does not.
func TestTheBrowserLetsNothingElseIn(t *testing.T) {
	content := makePage(t, sample(t, nil))
	plain := chromium(t, content, "plain.png", "--window-size=900,1300", "--screenshot=RESULT")
	forged := strings.Replace(content, "</body>", `<style>body { background: #f00 !important; }</style><script>document.body.innerHTML = "forged"</script></body>`, 1)
	if !bytes.Equal(plain, chromium(t, forged, "forged.png", "--window-size=900,1300", "--screenshot=RESULT")) {
		t.Error("what was smuggled in changes the page")
	}
	naked := regexp.MustCompile(`(?s)<style>.*?</style>`).ReplaceAllString(content, "")
	if bytes.Equal(plain, chromium(t, naked, "naked.png", "--window-size=900,1300", "--screenshot=RESULT")) {
		t.Error("the page's own style does not count")
	}
}

func TestTheWords(t *testing.T) {
	for _, c := range []struct {
		about  string
		data   Data
		has    []string
		hasNot []string
	}{
		{"a usual page", sample(t, nil), []string{"<html lang=\"en\">", "Your second factor for web1.example.org", "alice (Alice Example), 2026-11-22",
			"This page is the secret.", "<td id=\"account\">alice@web1</td>", "<td id=\"issuer\">Example Ltd</td>",
			"<td id=\"key\">GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ</td>", "by time (TOTP), 6 digits, every 30 s, SHA1",
			"Contact the IT desk, &#43;44 20 7946 0958.", "https://intranet.example.org/2fa", "</span>abcd-efgh-jk09</li>", "cut here"},
			[]string{"good until", "%!"}},
		{"in German", sample(t, func(d *Data) { d.Language, d.Contact = "de", "den Helpdesk" }), []string{"<html lang=\"de\">", "Ihr zweiter Faktor für web1.example.org",
			"Wenden Sie sich an den Helpdesk.", "zeitbasiert (TOTP), 6 Ziffern, alle 30 s, SHA1", "hier abschneiden"}, []string{"good until", "%!", "Your"}},
		{"without names, codes and help", sample(t, func(d *Data) {
			d.FullName, d.RecoveryCodes, d.Contact, d.HelpURL, d.Device.Issuer = "", nil, "", "", ""
		}), []string{"<p>alice, 2026-11-22</p>", "destroy this page"}, []string{"Recovery", "cut here", "footer>", "Contact", "()", "issuer"}},
		{"by counter, and with an end", samples(t)["with no recovery codes, by counter"], []string{"by counter (HOTP), 6 digits, SHA1", "good until 2026-12-31",
			"let the app make a code"}, []string{"seconds", "2027"}},
	} {
		content := makePage(t, c.data)
		for _, want := range c.has {
			if !strings.Contains(content, want) {
				t.Errorf("%s: no %q in\n%s", c.about, want, content)
			}
		}
		for _, never := range c.hasNot {
			if strings.Contains(content, never) {
				t.Errorf("%s: %q is in it", c.about, never)
			}
		}
	}
}

func TestBothLanguagesSayEverythingAndNameTheSameApps(t *testing.T) {
	apps := map[string]bool{}
	for i, row := range english.AppRows {
		for _, app := range row.Apps {
			apps[app.Name] = true
		}
		if !slices.Equal(german.AppRows[i].Apps, row.Apps) {
			t.Errorf("%v and %v", row.Apps, german.AppRows[i].Apps)
		}
	}
	if len(apps) < 4 {
		t.Errorf("only the apps %v", apps)
	}
	for _, store := range []string{"App Store", "Google Play", "F-Droid"} {
		for _, t2 := range []texts{english, german} {
			if !strings.Contains(fmt.Sprint(t2.AppRows), store) {
				t.Errorf("%s: no %s", t2.Language, store)
			}
		}
	}
	for _, all := range []texts{english, german} {
		for i := range reflect.ValueOf(all).NumField() {
			if reflect.ValueOf(all).Field(i).IsZero() {
				t.Errorf("%s: nothing for %s", all.Language, reflect.TypeOf(all).Field(i).Name)
			}
		}
	}
}

func TestAnAddressThatNoCodeCanHoldIsAnErrorWithoutTheAddress(t *testing.T) {
	d := sample(t, nil)
	d.URI = "otpauth://totp/x?secret=" + strings.Repeat("GEZD", 1000)
	content, err := Page(d)
	if err == nil || content != nil || strings.Contains(err.Error(), "GEZD") {
		t.Errorf("%d bytes, %v", len(content), err)
	}
}
