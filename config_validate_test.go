package slipstream_test

import (
	"strings"
	"testing"
	"time"

	"github.com/slipstream-go/slipstream"
)

const jwk = `{"kty":"oct","k":"cmVhbGx5cmVhbGx5cmVhbGx5cmVhbGx5dmVyeXNhZmU"}`

func TestValidateAccepts(t *testing.T) {
	for name, c := range map[string]slipstream.Config{
		"nothing":             {},
		"keywords":            {DBURI: "host=/run/postgresql user=a password='b c'"},
		"secret":              {JWTSecret: strings.Repeat("x", 32)},
		"base64":              {JWTSecret: "cmVhbGx5cmVhbGx5cmVhbGx5cmVhbGx5dmVyeXNhZmU=", JWTSecretIsBase64: true},
		"URL-safe base64":     {JWTSecret: "__--" + strings.Repeat("A", 40) + ".", JWTSecretIsBase64: true},
		"JWK":                 {JWTSecret: jwk},
		"JWK set":             {JWTSecret: ` {"keys": [` + jwk + `]}`},
		"JWK set's address":   {JWTSecret: "https://example.com/jwks.json"},
		"audience":            {JWTAud: "shop"},
		"audience as URI":     {JWTAud: "https://example.com"},
		"all IPv4":            {ServerHost: "!4"},
		"host name":           {ServerHost: "localhost"},
		"IPv6":                {ServerHost: "::1", AdminServerHost: "*6"},
		"any ports":           {ServerPort: slipstream.AnyPort, AdminServerPort: slipstream.AnyPort},
		"no admin":            {AdminServerPort: slipstream.NoPort},
		"same port, sockets":  {AdminServerPort: 3000, ServerUnixSocket: "/run/api.sock"},
		"no cache":            {JWTCacheMaxEntries: slipstream.NoCache},
		"gRPC endpoint":       {OTLPEndpoint: "collector:4317"},
		"bare search path":    {DBExtraSearchPath: []string{}},
		"dotted setting":      {AppSettings: map[string]string{"a.b_1": "", "ä": "ö"}},
		"longest port":        {ServerPort: 65535, AdminServerPort: 1},
		"mode":                {ServerUnixSocketMode: "0777"},
		"trace header":        {ServerTraceHeader: "X-Request-Id"},
		"proxy":               {OpenAPIServerProxyURI: "https://example.com:8443/base"},
		"schema of odd name":  {DBSchemas: []string{`SPECIAL "@/\#~_-`}},
		"sub-second timeouts": {DBPoolAcquisitionTimeout: time.Millisecond},
	} {
		if err := c.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestValidateRefuses(t *testing.T) {
	for want, c := range map[string]slipstream.Config{
		"db-uri: not a connection string":                           {DBURI: "db.example.com"},
		"db-schemas: information_schema cannot be exposed":          {DBSchemas: []string{"a", "information_schema"}},
		"redis-url: not a URL of Redis":                             {RedisURL: "http://x"},
		"db-schemas: the list is empty":                             {DBSchemas: []string{}},
		"db-schemas: a member is empty":                             {DBSchemas: []string{""}},
		`db-tx-end: "x" is not known`:                               {DBTxEnd: "x"},
		"db-max-rows: -1 is too small":                              {DBMaxRows: -1},
		"db-pool: -3 is too small":                                  {DBPool: -3},
		"db-statement-timeout: -1s is negative":                     {DBStatementTimeout: -time.Second},
		"request-max-body: -1 is negative":                          {RequestMaxBody: -1},
		"jwt-secret: too short with 31 bytes":                       {JWTSecret: strings.Repeat("x", 31)},
		"jwt-secret: too short with 24 bytes":                       {JWTSecret: strings.Repeat("x", 32), JWTSecretIsBase64: true},
		"jwt-secret: not base64":                                    {JWTSecret: "!", JWTSecretIsBase64: true},
		"jwt-secret: not JSON":                                      {JWTSecret: "{" + strings.Repeat("x", 40)},
		"cursor-secret: too short":                                  {CursorSecret: "x"},
		`jwt-aud: "a: b" has a colon`:                               {JWTAud: "a: b"},
		`server-host: "http://x" is not a host`:                     {ServerHost: "http://x"},
		`admin-server-host: "x:1" is not a host`:                    {AdminServerHost: "x:1"},
		"server-port: 65536 is not a port":                          {ServerPort: 65536, AdminServerPort: 1},
		"server-port: -2 is not a port":                             {ServerPort: slipstream.NoPort, AdminServerPort: 1},
		"admin-server-port: 80 is server-port too":                  {ServerPort: 80, AdminServerPort: 80},
		`server-unix-socket-mode: "400" is not a mode`:              {ServerUnixSocketMode: "400"},
		`server-trace-header: "a b" is not the name`:                {ServerTraceHeader: "a b"},
		`app.settings: "1a" cannot name a setting`:                  {AppSettings: map[string]string{"1a": ""}},
		"openapi-server-proxy-uri: not an address":                  {OpenAPIServerProxyURI: "ftp://example.com"},
		"otlp-endpoint: not an endpoint":                            {OTLPEndpoint: "collector"},
		"otlp-endpoint: not an address; write one such as https://": {OTLPEndpoint: "otlp://collector"},
	} {
		err := c.Validate()
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("got %v, want %s…", err, want)
		}
	}
}

func TestValidateReportsAll(t *testing.T) {
	err := slipstream.Config{DBPool: -1, LogLevel: "loud", DBURI: "x", DBSchemas: []string{"pg_catalog"}}.Validate()
	if err == nil || strings.Count(err.Error(), "\n") != 3 {
		t.Errorf("want four lines, got %v", err)
	}
}

// No message repeats a secret, or what may hold one.
func TestValidateKeepsSecrets(t *testing.T) {
	for _, secret := range []string{"hush", "{hush", "hush!"} {
		for _, c := range []slipstream.Config{
			{JWTSecret: secret}, {JWTSecret: secret, JWTSecretIsBase64: true}, {CursorSecret: secret}, {DBURI: secret},
		} {
			if err := c.Validate(); err == nil || strings.Contains(err.Error(), secret) {
				t.Errorf("%+v: %v", c, err)
			}
		}
	}
}
