package rest

import "bytes"

// appendCSV quotes where RFC 4180 and PostgreSQL's own composite output would: PostgREST's clients see the same text,
// except that a backslash is not doubled, which no CSV reader would undo. NULL is an empty field, the empty string "".
func appendCSV(dst, v []byte) []byte {
	if len(v) > 0 && !bytes.ContainsAny(v, "\",()\\ \t\n\r\v\f") {
		return append(dst, v...)
	}
	dst = append(dst, '"')
	for _, c := range v {
		if c == '"' {
			dst = append(dst, '"')
		}
		dst = append(dst, c)
	}
	return append(dst, '"')
}

// appendCSVNames is the line of column names.
func appendCSVNames(dst []byte, names []string) []byte {
	for i, n := range names {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendCSV(dst, []byte(n))
	}
	return dst
}

// appendCSVRow begins a new line for the row.
func appendCSVRow(dst []byte, values [][]byte) []byte {
	dst = append(dst, '\n')
	for i, v := range values {
		if i > 0 {
			dst = append(dst, ',')
		}
		if v != nil {
			dst = appendCSV(dst, v)
		}
	}
	return dst
}
