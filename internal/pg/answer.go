package pg

import (
	"fmt"

	"github.com/jackc/pgx/v5/pgproto3"
)

// inlineWrite is how much, in bytes, is written before the answer is read. More could fill the buffers on the way while
// the server fills those on the way back, and both would wait for ever: then the answer is read meanwhile.
const inlineWrite = 32 << 10

// exchange sends what is queued and reads the answer to its end.
func (t *trip) exchange() error {
	if t.tooLarge != nil {
		t.status = 'I' // nothing was sent
		return t.tooLarge
	}
	if len(t.out) <= inlineWrite && len(t.outside) == 0 {
		if _, err := t.wire.Conn().Write(t.out); err != nil {
			return t.lose(err)
		}
		return t.receive(nil)
	}
	written := make(chan struct{})
	go func() {
		defer close(written)
		_ = t.write(t.wire.Conn()) // an error shows in the answer
	}()
	defer func() {
		if t.status == 0 { // neither side may be left writing
			closeNow(t.wire)
			_ = t.lose(errUnwanted)
		}
		<-written
	}()
	return t.receive(nil)
}

// receive reads up to ReadyForQuery. After the first failure there is nothing to pass on any more.
func (t *trip) receive(failure error) error {
	frontend := t.wire.Frontend()
	for t.status == 0 && t.loss == nil {
		m, err := frontend.Receive()
		if err == nil {
			err = t.handle(m, failure != nil)
		} else {
			err = t.lose(err)
		}
		if failure == nil {
			failure = err
		}
	}
	return failure
}

// handle takes one message of the answer.
func (t *trip) handle(m pgproto3.BackendMessage, failed bool) error {
	switch m := m.(type) {
	case *pgproto3.DataRow:
		switch s := t.steps[t.at]; {
		case failed || s.statement == internal:
		case s.statement == position:
			t.outcome.position = parsePosition(m.Values)
		case s.statement == assigned:
			t.outcome.xid = parseAssigned(m.Values)
		case s.statement == called:
			t.takeSaw(m.Values)
		case s.statement == replayed:
			return t.interruptOn(t.takeReplayed(string(m.Values[len(m.Values)-1])))
		default:
			return t.interruptOn(t.sinkOf(s).Row(s.statement, m.Values))
		}
	case *pgproto3.BindComplete:
		t.bound = t.at + 1
		if s := t.steps[t.at]; s.statement >= 0 && !failed {
			t.sunk = true
			return t.interruptOn(t.sinkOf(s).Columns(s.statement, s.prepared.columns))
		}
	case *pgproto3.CommandComplete, *pgproto3.EmptyQueryResponse:
		t.at++
	case *pgproto3.ReadyForQuery:
		t.status = m.TxStatus
	case *pgproto3.ErrorResponse:
		return answerError(m)
	case *pgproto3.ParseComplete:
		t.steps[t.at].prepared.accepted = true
	case *pgproto3.RowDescription:
		t.steps[t.at].prepared.columns = columnNames(m)
	case *pgproto3.ParameterStatus:
		t.session.report(m.Name, m.Value == t.wire.ParameterStatus(m.Name))
	case *pgproto3.CopyInResponse, *pgproto3.CopyOutResponse, *pgproto3.CopyBothResponse:
		return t.lose(fmt.Errorf("unexpected answer %T", m))
	}
	return nil
}

func (t *trip) sinkOf(s step) Sink {
	if t.members != nil {
		return t.members[s.member].write.sink
	}
	return t.sink
}

func columnNames(m *pgproto3.RowDescription) []string {
	names := make([]string, len(m.Fields))
	for i := range m.Fields {
		names[i] = string(m.Fields[i].Name)
	}
	return names
}

// interruptOn ends the statement when the sink wants no more of it: the server would send all of the rest.
func (t *trip) interruptOn(err error) error {
	if err != nil {
		t.interruptNow()
	}
	return err
}

func (t *trip) lose(err error) error {
	err = &LostError{Err: err}
	if t.loss == nil {
		t.loss = err
	}
	return err
}
