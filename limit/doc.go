// Package limit keeps a service from doing more than it should: rate limits by GCRA, whose counts several processes can
// share.
//
// It knows neither HTTP nor what is limited. Imported by internal/ratelimit and internal/redis, and by programs of others.
package limit
