package request

import (
	"strings"

	"github.com/slipstream-go/slipstream/internal/apierr"
)

// queryParser reads a whole query string.
type queryParser struct {
	parser
	// arguments is true where a value without an operator is an argument of the called function.
	arguments bool
	// cursor is true where a cursor parameter that is no filter is a cursor.
	cursor bool
	// window is the range of limit= and offset= of the top level.
	window span
}

// parameter is a key with its value, decoded.
type parameter struct {
	key, value string
	kind       parameterKind
}

// parameterKind in the order in which PostgREST reads the parameters, which
// decides what a query with several faults is told.
type parameterKind byte

const (
	orderParameter parameterKind = iota
	logicParameter
	columnsParameter
	selectParameter
	filterParameter
	onConflictParameter
	limitParameter
	offsetParameter
)

func (p *queryParser) parse(raw string) *apierr.Error {
	var buf [16]parameter
	params, err := splitQuery(buf[:0], raw)
	if err != nil {
		return err
	}
	for kind := orderParameter; kind <= onConflictParameter; kind++ {
		for i := range params {
			if params[i].kind != kind {
				continue
			}
			if err := p.readParameter(&params[i]); err != nil {
				return err
			}
		}
	}
	if sel := &p.q.Select; len(sel.Fields) == 0 && len(sel.Embeds) == 0 {
		sel.Fields = []Field{{Column: Column{Name: "*"}}}
	}
	return p.readWindows(params)
}

func (p *queryParser) readParameter(param *parameter) *apierr.Error {
	switch param.kind {
	case orderParameter:
		return p.readOrder(param)
	case logicParameter:
		return p.readLogic(param)
	case columnsParameter:
		return p.readColumns(param)
	case selectParameter:
		return p.readSelect(param)
	case filterParameter:
		return p.readFilter(param)
	default:
		return p.readOnConflict(param)
	}
}

// splitQuery splits at & and ;, decodes, and tells the kinds. Keys without an equals sign do not count.
// The first select=, columns= and on_conflict= count, even if it has no value.
func splitQuery(params []parameter, raw string) ([]parameter, *apierr.Error) {
	var seen [limitParameter]bool
	for raw != "" {
		part := raw
		if i := strings.IndexAny(raw, "&;"); i >= 0 {
			part, raw = raw[:i], raw[i+1:]
		} else {
			raw = ""
		}
		key, value, ok := strings.Cut(part, "=")
		key, err := decodeText(key)
		if err != nil {
			return nil, err
		}
		kind := kindOf(key)
		switch kind {
		case selectParameter, columnsParameter, onConflictParameter:
			ok, seen[kind] = ok && !seen[kind], true
		}
		if !ok {
			continue
		}
		if value, err = decodeText(value); err != nil {
			return nil, err
		}
		params = append(params, parameter{key, value, kind})
	}
	return params, nil
}

func kindOf(key string) parameterKind {
	switch key[strings.LastIndexByte(key, '.')+1:] {
	case "order":
		return orderParameter
	case "and", "or":
		return logicParameter
	case "limit":
		return limitParameter
	case "offset":
		return offsetParameter
	}
	switch key {
	case "select":
		return selectParameter
	case "columns":
		return columnsParameter
	case "on_conflict":
		return onConflictParameter
	}
	return filterParameter
}

// fail reports why text is malformed, or which limit was hit.
func (p *queryParser) fail(r rule, what, shown, text string) *apierr.Error {
	if p.refusal != nil {
		return p.refusal
	}
	if len(text) > mostDiagnosed {
		return malformedNear(what, text, p.i)
	}
	return diagnose(r, what, shown, text)
}

// readKey reads the key of a filter or of a parameter that an embed can have.
func (p *queryParser) readKey(key string) ([]string, Column, *apierr.Error) {
	p.read(key)
	path, column, ok := p.treePath()
	if !ok {
		return nil, column, p.fail(treePathRule, "tree path", key, key)
	}
	return path, column, nil
}

func (p *queryParser) readOrder(param *parameter) *apierr.Error {
	path, _, err := p.readKey(param.key)
	if err != nil {
		return err
	}
	p.read(param.value)
	terms, ok := p.orderTerms()
	if !ok {
		return p.fail(orderRule, "order", param.value, param.value)
	}
	p.q.Orders = append(p.q.Orders, Order{Path: path, Terms: terms})
	return nil
}

func (p *queryParser) readLogic(param *parameter) *apierr.Error {
	p.read(param.key)
	path, operator, ok := p.logicPath()
	if !ok {
		return p.fail(logicPathRule, "logic path", param.key, param.key)
	}
	// or=(..) is the tree or(..)
	text := operator + param.value
	p.read(text)
	tree := LogicFilter{Path: path}
	if !p.logicNode(&tree.Logic, 0) {
		return p.fail(logicRule, "logic tree", param.value, text)
	}
	p.q.Logic = append(p.q.Logic, tree)
	return nil
}

func (p *queryParser) readColumns(param *parameter) *apierr.Error {
	p.read(param.value)
	names, ok := p.names()
	if !ok {
		return p.fail(namesRule, "columns parameter", param.value, param.value)
	}
	p.q.Columns = names
	return nil
}

func (p *queryParser) readOnConflict(param *parameter) *apierr.Error {
	p.read(param.value)
	names, ok := p.names()
	if !ok {
		return p.fail(namesRule, "on_conflict parameter", param.value, param.value)
	}
	p.q.OnConflict = names
	return nil
}

func (p *queryParser) readSelect(param *parameter) *apierr.Error {
	p.read(param.value)
	if !p.forest(&p.q.Select, 0) {
		return p.fail(forestRule, "select parameter", param.value, param.value)
	}
	return nil
}

// readFilter reads a filter, an argument or a cursor.
func (p *queryParser) readFilter(param *parameter) *apierr.Error {
	path, column, err := p.readKey(param.key)
	if err != nil {
		return err
	}
	f := Filter{Path: path, Condition: Condition{Column: column}}
	p.read(param.value)
	ok := p.countCondition() && p.condition(&f.Condition, false)
	switch {
	case ok:
		p.q.Filters = append(p.q.Filters, f)
	case p.refusal == nil && p.arguments && p.i == 0:
		p.q.Params = append(p.q.Params, Param{Name: column.Name, Value: p.value(param.value)})
	case p.refusal == nil && p.cursor && param.key == "cursor" && param.value != "":
		p.q.Cursor = param.value
	default:
		return p.fail(filterRule, "filter", param.value, param.value)
	}
	return nil
}
