package auth_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream/internal/auth"
)

func TestTimeClaims(t *testing.T) {
	now := noon.Unix()
	for _, test := range []struct {
		claim, message string // no message: accepted
	}{
		{fmt.Sprintf(`"exp":%d`, now-30), ""},
		{fmt.Sprintf(`"exp":%d`, now-31), "JWT expired"},
		{fmt.Sprintf(`"exp":%d.5`, now-30), ""},
		{fmt.Sprintf(`"exp":%d.5`, now-32), "JWT expired"},
		{`"exp":0`, "JWT expired"},
		{`"exp":-1e400`, "JWT expired"},
		{`"exp":1e400`, ""},
		{`"exp":null`, ""},
		{`"exp":"9999999999"`, "The JWT 'exp' claim must be a number"},
		{`"exp":true`, "The JWT 'exp' claim must be a number"},
		{fmt.Sprintf(`"nbf":%d`, now+30), ""},
		{fmt.Sprintf(`"nbf":%d`, now+31), "JWT not yet valid"},
		{`"nbf":1e400`, "JWT not yet valid"},
		{`"nbf":{}`, "The JWT 'nbf' claim must be a number"},
		{fmt.Sprintf(`"iat":%d`, now+30), ""},
		{fmt.Sprintf(`"iat":%d`, now+31), "JWT issued at future"},
		{`"iat":[1]`, "The JWT 'iat' claim must be a number"},
		{fmt.Sprintf(`"iat":%d,"exp":1`, now+31), "JWT expired"},
	} {
		t.Run(test.claim, func(t *testing.T) {
			v := newVerifier(t, auth.Config{Secret: secret})
			expectClaims(t, v, `{"role":"r",`+test.claim+`}`, test.message)
		})
	}
}

func TestAudience(t *testing.T) {
	const notIn = "JWT not in audience"
	const badType = "The JWT 'aud' claim must be a string or an array of strings"
	for _, test := range []struct{ ours, aud, message string }{
		{"us", `"us"`, ""},
		{"us", `"US"`, notIn},
		{"us", `""`, notIn},
		{"us", `["them","us"]`, ""},
		{"us", `["them"]`, notIn},
		{"us", `[]`, ""},
		{"us", `null`, ""},
		{"us", `7`, badType},
		{"us", `["us",7]`, badType},
		{"us", `["us",null]`, badType},
		{"us", `{"us":"us"}`, badType},
		{"https://us.example/api", `"https://us.example/api"`, ""},
		{"", `"them"`, ""},
		{"", `["them"]`, ""},
		{"", `{}`, badType},
	} {
		t.Run(test.ours+" in "+test.aud, func(t *testing.T) {
			v := newVerifier(t, auth.Config{Secret: secret, Audience: test.ours})
			expectClaims(t, v, `{"role":"r","aud":`+test.aud+`}`, test.message)
		})
	}
	v := newVerifier(t, auth.Config{Secret: secret, Audience: "us"})
	expectClaims(t, v, `{"role":"r"}`, "")
}

func TestPayloadIsNoObject(t *testing.T) {
	v := newVerifier(t, auth.Config{Secret: secret, AnonRole: "anon"})
	for name, payload := range map[string]string{
		"empty": "", "null": "null", "array": "[]", "string": `"x"`, "trailing": "{}{}", "cut": `{"a":`,
		"not UTF-8": "{\"a\":\"\xff\"}", "another token": hs256(t, "{}"),
		"nested too deeply": `{"a":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + "}",
	} {
		t.Run(name, func(t *testing.T) {
			expectClaims(t, v, payload, "Parsing claims failed")
		})
	}
}

func TestDeeplyNestedClaims(t *testing.T) {
	deep := strings.Repeat("[", 5_000) + strings.Repeat("]", 5_000)
	v := newVerifier(t, auth.Config{Secret: secret, RoleClaimKey: "$..role"})
	expectClaims(t, v, `{"a":`+deep+`,"role":"r"}`, "")
}

func TestClockMoves(t *testing.T) {
	now := noon
	v := newVerifier(t, auth.Config{Secret: secret, CacheMaxEntries: 10, Now: func() time.Time { return now }})
	payload := fmt.Sprintf(`{"role":"r","nbf":%d,"exp":%d}`, noon.Unix()+60, noon.Unix()+120)
	for _, step := range []struct {
		after   time.Duration
		message string
	}{
		{0, "JWT not yet valid"},
		{30 * time.Second, ""},
		{150*time.Second + 999*time.Millisecond, ""},
		{29 * time.Second, "JWT not yet valid"}, // the clock was set back
		{151 * time.Second, "JWT expired"},
		{151 * time.Second, "JWT expired"},
	} {
		now = noon.Add(step.after)
		expectClaims(t, v, payload, step.message)
	}
	if n := v.KeyStatus().CacheEntries; n != 0 {
		t.Errorf("%d expired tokens are still remembered", n)
	}
}

// expectClaims signs the payload and expects PGRST303 with the message, or to be
// accepted without one.
func expectClaims(t *testing.T, v *auth.Verifier, payload, message string) {
	t.Helper()
	token := hs256(t, payload)
	if message == "" {
		mustCall(t, v, token)
		return
	}
	e := refused(t, v, token)
	if e.Code != "PGRST303" || e.Message != message || e.Details != nil || e.HTTPStatus() != 401 {
		t.Errorf("%+v", e)
	}
	want := `Bearer error="invalid_token", error_description="` + message + `"`
	if got := e.Header.Get("WWW-Authenticate"); got != want {
		t.Errorf("WWW-Authenticate: %s", got)
	}
}
