package chaos

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// frontendKinds are the messages of clients, by type.
var frontendKinds = map[byte]string{
	'B': "Bind", 'C': "Close", 'd': "CopyData", 'c': "CopyDone", 'f': "CopyFail", 'D': "Describe", 'E': "Execute", 'H': "Flush",
	'F': "FunctionCall", 'P': "Parse", 'p': "PasswordMessage", 'Q': "Query", 'S': "Sync", 'X': "Terminate",
}

// untypedKinds are the messages of clients that have no type.
var untypedKinds = []string{"CancelRequest", "GSSENCRequest", "SSLRequest", "StartupMessage"}

// backendKinds are the messages of servers, by type. All of authentication have one type.
var backendKinds = map[byte]string{
	'R': "Authentication", 'K': "BackendKeyData", '2': "BindComplete", '3': "CloseComplete", 'C': "CommandComplete", 'd': "CopyData",
	'c': "CopyDone", 'G': "CopyInResponse", 'H': "CopyOutResponse", 'W': "CopyBothResponse", 'D': "DataRow",
	'I': "EmptyQueryResponse", 'E': "ErrorResponse", 'V': "FunctionCallResponse", 'v': "NegotiateProtocolVersion", 'n': "NoData",
	'N': "NoticeResponse", 'A': "NotificationResponse", 't': "ParameterDescription", 'S': "ParameterStatus", '1': "ParseComplete",
	's': "PortalSuspended", 'Z': "ReadyForQuery", 'T': "RowDescription",
}

// copies are the kinds that go both ways.
var copies = map[string]bool{"CopyData": true, "CopyDone": true}

// looksInside are the kinds whose content is looked into.
var looksInside = map[string]bool{
	"Query": true, "Parse": true, "Bind": true, "Describe": true, "Execute": true, "Close": true, "CommandComplete": true,
}

func (p *Point) validateMessage(f *Fault) error {
	kind := p.message()
	known := slices.Concat(slices.Collect(maps.Values(frontendKinds)), untypedKinds, slices.Collect(maps.Values(backendKinds)))
	slices.Sort(known)
	switch {
	case !slices.Contains(known, kind):
		return fmt.Errorf("there is no message %s; there are %s", kind, strings.Join(slices.Compact(known), ", "))
	case p.Tag != "" && kind != "CommandComplete":
		return fmt.Errorf("tag is for CommandComplete; %s has none", kind)
	case p.SQL != "" && (!looksInside[kind] || kind == "CommandComplete"):
		return fmt.Errorf("sql is for Query, Parse, Bind, Describe, Execute and Close; %s has none", kind)
	case f.HalfOpen != nil && copies[kind]:
		return fmt.Errorf("half-open cannot be at %s, as its direction would mean two things; use reset or cut", kind)
	}
	return nil
}
