package plan

import (
	"github.com/slipstream-go/slipstream/internal/request"
	"github.com/slipstream-go/slipstream/internal/schema"
)

// writeArgumentRow puts the row slip_body that the arguments of a JSON body are columns of, for a lateral call.
func (b *builder) writeArgumentRow(s *sqlBuilder, f *schema.Function) {
	p := b.request.Payload
	if p == nil || p.Kind != request.JSONPayload || unnamed(f) || len(p.Columns) == 0 {
		return
	}
	record := func() {
		s.put("(")
		s.bind(Arg{Kind: ArgPayload})
		s.put("::json) AS slip_body(")
		s.each(len(p.Columns), ", ", func(i int) {
			s.put(QuoteIdent(p.Columns[i]), " ", parameter(f, p.Columns[i]).TypeMod)
		})
		s.put(")")
	}
	if p.Object {
		s.put("json_to_record")
		record()
	} else {
		s.put("(SELECT * FROM json_to_recordset")
		record()
		s.put(" LIMIT 1) slip_body") // a call has one row of arguments
	}
	s.put(", LATERAL ")
}

func parameter(f *schema.Function, name string) *schema.Param {
	for i := range f.Params {
		if f.Params[i].Name == name {
			return &f.Params[i]
		}
	}
	return &schema.Param{} // accepts has seen to it that there is one
}

// writeArguments puts the arguments by name. A repeated one counts once, the last; a VARIADIC one collects them all.
func (b *builder) writeArguments(s *sqlBuilder, f *schema.Function) {
	if b.request.Payload != nil && unnamed(f) {
		b.writeBodyArgument(s, &f.Params[0])
		return
	}
	sep := ""
	for i := range f.Params {
		p := &f.Params[i]
		write := b.argument(s, p)
		if write == nil {
			continue // left to its default
		}
		s.put(sep)
		sep = ", "
		if p.Variadic {
			s.put("VARIADIC ")
		}
		if p.Name != "" {
			s.put(QuoteIdent(p.Name), " := ")
		}
		write()
	}
}

// writeBodyArgument puts the whole body as the argument.
func (b *builder) writeBodyArgument(s *sqlBuilder, p *schema.Param) {
	switch {
	case !rawBody(b.request):
		s.bind(Arg{Kind: ArgPayload})
	case p.Type == "bytea":
		s.bind(Arg{Kind: ArgBytes})
	default:
		s.bind(Arg{Kind: ArgRaw})
	}
	s.put("::", p.TypeMod)
}

// argument gives what writes the value of a parameter, or nil when the request has none for it.
func (b *builder) argument(s *sqlBuilder, p *schema.Param) func() {
	switch payload := b.request.Payload; {
	case payload == nil:
		return b.queryArgument(s, p)
	case payload.Kind == request.FormPayload:
		return b.formArgument(s, p)
	default:
		for _, c := range payload.Columns {
			if c == p.Name {
				return func() { s.put("slip_body.", QuoteIdent(c)) }
			}
		}
	}
	return nil
}

func (b *builder) queryArgument(s *sqlBuilder, p *schema.Param) func() {
	var values []request.Value
	for _, arg := range b.request.Query.Params {
		if arg.Name == p.Name {
			values = append(values, arg.Value)
		}
	}
	if len(values) == 0 {
		return nil
	}
	return func() {
		if p.Variadic {
			s.bind(Arg{Kind: ArgList, Values: values})
		} else {
			s.bindValue(values[len(values)-1])
		}
		s.put("::", p.TypeMod)
	}
}

func (b *builder) formArgument(s *sqlBuilder, p *schema.Param) func() {
	var fields []int
	for i, f := range b.request.Payload.Fields {
		if f.Name == p.Name {
			fields = append(fields, i)
		}
	}
	if len(fields) == 0 {
		return nil
	}
	return func() {
		if p.Variadic {
			s.bind(Arg{Kind: ArgFieldList, Fields: fields})
		} else {
			s.bind(Arg{Kind: ArgField, Index: fields[len(fields)-1]})
		}
		s.put("::", p.TypeMod)
	}
}
