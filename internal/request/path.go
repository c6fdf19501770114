package request

import (
	"net/url"
	"strings"

	"github.com/slipstream-go/slipstream/internal/apierr"
)

// setTarget finds out what the path names: /, /relation or /rpc/function.
func (r *Request) setTarget(u *url.URL, rootSpec string) *apierr.Error {
	// Without RawPath the default escaping of Path is what was sent, so no slash in Path was an escaped one.
	path, escaped := u.Path, false
	if u.RawPath != "" {
		path, escaped = u.RawPath, true
	}
	first, rest, more := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch {
	case first == "" && !more:
		r.Target, r.Name = Root, ""
		if rootSpec != "" {
			r.Target, r.Name = Function, rootSpec
		}
		return nil
	case !more:
		r.Target, r.Name = Relation, first
	case first == "rpc" && rest != "" && !strings.Contains(rest, "/"):
		r.Target, r.Name = Function, rest
	default:
		return apierr.New("PGRST125", "Invalid path specified in request URL")
	}
	if escaped {
		r.Name = unescapePercent(r.Name, false)
	}
	return checkText(r.Name)
}

// checkMethod refuses the methods that a target does not have.
func (r *Request) checkMethod() *apierr.Error {
	switch r.Method {
	case "GET", "HEAD", "OPTIONS":
		return nil
	case "POST":
		if r.Target != Root {
			return nil
		}
	case "PUT", "PATCH", "DELETE":
		if r.Target == Relation {
			return nil
		}
	}
	if r.Target == Function {
		return apierr.New("PGRST101", "Cannot use the "+r.Method+" method on RPC")
	}
	return apierr.New("PGRST117", "Unsupported HTTP method: "+r.Method)
}
