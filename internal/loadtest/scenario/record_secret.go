package scenario

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// secretName is the environment variable for what stands under a name, empty if the name is none of a secret.
func secretName(name string) string {
	plain := strings.Map(func(r rune) rune {
		if strings.ContainsRune("-_. []$", r) {
			return -1
		}
		return r
	}, strings.ToLower(name))
	if slices.Contains([]string{"pw", "pwd", "pass", "auth", "otp", "totp", "pin", "sig", "hmac", "sid", "sso", "csrf", "xsrf", "email", "mail"}, plain) {
		return envName(name)
	}
	for _, word := range []string{"password", "passwd", "passphrase", "secret", "token", "apikey", "accesskey", "privatekey", "authorization", "credential", "session", "cookie", "signature", "jwt", "bearer", "onetime"} {
		if strings.Contains(plain, word) {
			return envName(name)
		}
	}
	return ""
}

func envName(name string) string { return strings.ToUpper(lowerName(name)) }

var (
	// An e-mail address; also anything else with an @ inside, which is rare.
	mailAddress = regexp.MustCompile(`[^\s@,(){}"']@[^\s@,(){}"']`)
	// The beginning of a JSON object in base64, as JSON Web Tokens have it, and what goes before credentials.
	webToken = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{5}|(?i)\b(bearer|basic)\s+\S`)
	// What may be random, if it has digits and letters mixed.
	longWord = regexp.MustCompile(`[A-Za-z0-9_+/=-]{20,}`)
	word     = regexp.MustCompile(`[A-Za-z0-9]{8,}`)
	mixed    = regexp.MustCompile(`[A-Za-z][0-9]|[0-9][A-Za-z]`)
	uuid     = regexp.MustCompile(`(?i)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	// A name with a value, as in or=(password.eq.x) or {"password": …}.
	named = regexp.MustCompile(`([A-Za-z_][A-Za-z0-9_-]*)["']?\s*[.=:]`)
)

// secretIn is the environment variable for a value that looks secret, empty if it does not.
func (r *recorder) secretIn(value string) string {
	for range 3 { // as it is, and encoded once and twice more
		if name := secretValue(value); name != "" {
			return name
		}
		if slices.ContainsFunc(r.known, func(s string) bool { return strings.Contains(value, s) }) {
			return "SECRET"
		}
		decoded, err := url.QueryUnescape(value)
		if err != nil || decoded == value {
			break
		}
		value = decoded
	}
	return ""
}

func secretValue(value string) string {
	switch {
	case webToken.MatchString(value):
		return "TOKEN"
	case mailAddress.MatchString(value):
		return "EMAIL"
	}
	for _, long := range longWord.FindAllString(uuid.ReplaceAllString(value, " "), -1) {
		for _, w := range word.FindAllString(long, -1) {
			if mixed.MatchString(w) {
				return "TOKEN"
			}
		}
	}
	return ""
}

// secretNamed is secretIn for names with values in a text.
func secretNamed(text string) string {
	for _, match := range named.FindAllStringSubmatch(text, -1) {
		if name := secretName(match[1]); name != "" {
			return name
		}
	}
	return ""
}

// know remembers a secret that is not to be found anywhere else. Short ones would be found everywhere.
func (r *recorder) know(secret string) {
	if len(secret) >= 6 && !slices.Contains(r.known, secret) {
		r.known = append(r.known, secret)
	}
}
