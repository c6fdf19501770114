// Package cdn tells caches on the way, such as those of Fastly and Cloudflare, to drop what is about something that has
// changed. It does not know what that is: it passes tags on. Imported by the root package.
package cdn
