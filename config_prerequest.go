package slipstream

import (
	"errors"
	"fmt"
	"strings"

	"github.com/slipstream-go/slipstream/internal/rest"
	"github.com/slipstream-go/slipstream/internal/schema"
)

// readsNothing declares that the pre-request function looks at nothing.
const readsNothing = "nothing"

// preRequestReads turns db-pre-request-reads into what the data API is made with; nil where nothing is declared.
func (c Config) preRequestReads() (*rest.PreRequestReads, error) {
	if len(c.DBPreRequestReads) == 0 {
		return nil, nil
	}
	out := new(rest.PreRequestReads)
	for _, name := range c.DBPreRequestReads {
		setting, isSetting := requestSetting(name)
		switch {
		case name == readsNothing && len(c.DBPreRequestReads) > 1:
			return nil, errors.New("nothing stands beside something; remove one of them")
		case name == readsNothing:
		case isSetting:
			out.Settings = append(out.Settings, setting)
		case strings.HasPrefix(name, "request."):
			return nil, fmt.Errorf("%q is not what a request has; write one of request.jwt.claims, request.headers and request.cookies, "+
				"with .NAME for a single member, request.method and request.path", name)
		case qualified(name).Schema == "" || qualified(name).Name == "":
			return nil, fmt.Errorf("%q is neither a setting nor a relation; write one such as request.headers.x-tenant or api.blocked", name)
		default:
			out.Relations = append(out.Relations, qualified(name))
		}
	}
	return out, nil
}

// requestSetting recognises a setting that is made of each request, or a member of one.
func requestSetting(name string) (schema.SettingRead, bool) {
	if name == "request.method" || name == "request.path" {
		return schema.SettingRead{Name: name}, true
	}
	for _, object := range []string{"request.jwt.claims", "request.headers", "request.cookies"} {
		rest, ok := strings.CutPrefix(name, object)
		if ok && rest == "" {
			return schema.SettingRead{Name: object}, true
		}
		if member, ok := strings.CutPrefix(rest, "."); ok && member != "" {
			return schema.SettingRead{Name: object, Claim: member}, true
		}
	}
	return schema.SettingRead{}, false
}

func (c Config) checkPreRequestReads() error {
	_, err := c.preRequestReads()
	return err
}

func (c Config) preRequestRelations() []schema.Name {
	if reads, _ := c.preRequestReads(); reads != nil {
		return reads.Relations
	}
	return nil
}
