package ratelimit

import (
	"net/http"

	"github.com/slipstream-go/slipstream/internal/auth"
)

// Operations charges the operations of a batch, all of them or none, on top of what the batch itself has cost: who sends a
// hundred requests as one has sent a hundred. The error is what the client gets.
func (l *Limits) Operations(w http.ResponseWriter, whole *http.Request, operations []*http.Request) error {
	if l == nil {
		return nil
	}
	var c claim
	for _, r := range operations {
		who := l.subject(r, auth.CallerFrom(whole.Context()))
		c.add(l, after, &who)
	}
	if admitted, by := l.decide(whole.Context(), &c); !admitted {
		return c.refusal(w, whole, by)
	}
	c.note(whole)
	c.tell(w.Header(), false)
	return nil
}
