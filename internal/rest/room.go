package rest

import (
	"net/http"
	"strconv"

	"github.com/slipstream-go/slipstream/internal/apierr"
	"github.com/slipstream-go/slipstream/limit"
)

// makeRoom asks for room for a body of size bytes. Small answers need none: there are no more of them than connections to
// the database, until they are in the buffers of the system.
func (a *answer) makeRoom(size int) error {
	if size <= streamChunk {
		return nil
	}
	return a.room.Grow(a.options.Buffers, int64(size))
}

// noRoom is the answer when there is no room for a request or its answer.
func noRoom(e *limit.BufferError, size int64) *apierr.Error {
	if size > e.Largest {
		return &apierr.Error{
			Code: "SLIP231", Message: "The answer is too large to be made at once",
			Details: "A part of it has " + strconv.FormatInt(e.Size, 10) + " bytes, and needs twice as many.",
			Hint:    "Ask for less with limit or select, for application/x-ndjson or text/csv, which are streamed, or have buffer-memory raised",
			Cause:   e,
		}
	}
	return &apierr.Error{
		Code: "SLIP230", Message: "The server has no memory left for large requests and answers",
		Hint: "Try again later, or ask for less at a time", Header: http.Header{"Retry-After": {"1"}}, Cause: e,
	}
}
