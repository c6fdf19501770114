package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	fetchTimeout = 10 * time.Second
	maxRedirects = 3
)

// fetcher gets a JWK set over HTTP.
type fetcher struct {
	address string
	name    string // the address without what may be secret: user, password, query
	client  http.Client
}

func newFetcher(address string, client *http.Client) (*fetcher, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("the address of the JWK set is not a valid URL")
	}
	if err := checkURL(u); err != nil {
		return nil, err
	}
	f := &fetcher{address: address, name: u.Scheme + "://" + u.Host + u.EscapedPath()}
	if client != nil {
		f.client = *client
	} else {
		f.client.Transport = &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			TLSHandshakeTimeout:    fetchTimeout,
			ForceAttemptHTTP2:      true,
			MaxResponseHeaderBytes: 64 << 10,
		}
	}
	f.client.CheckRedirect = checkRedirect
	return f, nil
}

// checkRedirect holds redirects to the same rule as the address itself.
func checkRedirect(r *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return errors.New("too many redirects")
	}
	return checkURL(r.URL)
}

// get returns the set and the max-age that its answer has, 0 if none.
func (f *fetcher) get(ctx context.Context) (body []byte, maxAge time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.address, nil)
	if err != nil {
		return nil, 0, errors.New("the address cannot be requested")
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, 0, withoutURL(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, 0, fmt.Errorf("status %d", resp.StatusCode)
	}
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxKeySetBytes+1))
	if err != nil {
		return nil, 0, fmt.Errorf("read the answer: %w", err)
	}
	if len(body) > maxKeySetBytes {
		return nil, 0, fmt.Errorf("the answer is larger than %d bytes", maxKeySetBytes)
	}
	return body, maxAgeOf(resp.Header), nil
}

// withoutURL drops the address, whose query may hold an API key.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// maxAgeOf reads Cache-Control (RFC 9111 section 5.2.2.1).
func maxAgeOf(h http.Header) time.Duration {
	for _, line := range h.Values("Cache-Control") {
		for directive := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
			if !strings.EqualFold(name, "max-age") {
				continue
			}
			seconds, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31)
			if err != nil {
				return 0
			}
			return time.Duration(seconds) * time.Second
		}
	}
	return 0
}

func (f *fetcher) close() { f.client.CloseIdleConnections() }
