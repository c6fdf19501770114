package request

import "encoding/binary"

// Writes reports whether the request's method may change data: its body and the preferences of writes count.
func (r *Request) Writes() bool {
	switch r.Method {
	case "POST", "PATCH", "PUT", "DELETE":
		return true
	}
	return false
}

// AppendShape encodes all of the payload that a plan may depend on: everything but the values. It may be called on nil.
func (p *Payload) AppendShape(dst []byte) []byte {
	if p == nil {
		return append(dst, 0)
	}
	flags := byte(1)
	if p.Object {
		flags |= 2
	}
	if len(p.JSON) == 0 && p.csv == nil {
		flags |= 4
	}
	if p.Columnar {
		flags |= 8
	}
	dst = append(dst, flags, byte(p.Kind))
	text := func(s string) {
		dst = binary.AppendUvarint(dst, uint64(len(s)))
		dst = append(dst, s...)
	}
	dst = binary.AppendUvarint(dst, uint64(len(p.Columns)))
	for _, c := range p.Columns {
		text(c)
	}
	dst = binary.AppendUvarint(dst, uint64(len(p.Fields)))
	for _, f := range p.Fields {
		text(f.Name)
	}
	return dst
}
