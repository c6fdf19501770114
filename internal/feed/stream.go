package feed

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// stream is a connection that speaks the streaming replication protocol
// (https://www.postgresql.org/docs/current/protocol-replication.html).
type stream struct{ conn *pgconn.PgConn }

const (
	// acknowledgeEvery is the time between acknowledgements, which let the server recycle its log.
	acknowledgeEvery = time.Second
	// askAfter is how long the server may be silent before it is asked for a sign of life.
	askAfter = 10 * time.Second
	// silence is how long it may be silent at all. A server that decodes a large transaction of unpublished tables
	// speaks every 30 s by default (half of wal_sender_timeout).
	silence = 90 * time.Second
)

// dialer finds out within a minute that the other side is gone, also where nothing is being sent.
func dialer() *net.Dialer {
	return &net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 10 * time.Second, Count: 4}}
}

// openStream connects to the primary among the DSN's hosts. The session's settings fix the text that values have in
// the stream, whatever the role's or the database's are.
func openStream(ctx context.Context, dsn string) (*stream, error) {
	config, err := streamConfig(dsn)
	if err != nil {
		return nil, err
	}
	config.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsPrimary
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	return &stream{conn: conn}, nil
}

func streamConfig(dsn string) (*pgconn.Config, error) {
	config, err := pgconn.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	config.DialFunc = dialer().DialContext
	for name, value := range map[string]string{
		"replication": "database", "application_name": "slipstream feed", "client_encoding": "UTF8",
		"datestyle": "ISO, MDY", "timezone": "UTC", "intervalstyle": "postgres", "extra_float_digits": "1", "bytea_output": "hex",
	} {
		setParameter(config.RuntimeParams, name, value)
	}
	return config, nil
}

// setParameter sets a parameter whatever the spelling in which the DSN has it: of two, the server takes the last, and
// the order of a map is chance.
func setParameter(parameters map[string]string, name, value string) {
	for other := range parameters {
		if strings.EqualFold(other, name) {
			delete(parameters, other)
		}
	}
	parameters[name] = value
}

// close tells the server to end the session; with it, the slot goes.
func (s *stream) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = s.conn.Close(ctx)
}

// origin is the identity of a server, and of the database there: its events can only follow on those of the same.
type origin struct {
	system   uint64
	timeline uint32
	database string
}

func (s *stream) identify(ctx context.Context) (origin, error) {
	row, err := s.row(ctx, "IDENTIFY_SYSTEM")
	if err != nil {
		return origin{}, err
	}
	if len(row) < 4 {
		return origin{}, errors.New("unexpected answer to IDENTIFY_SYSTEM")
	}
	system, err := strconv.ParseUint(string(row[0]), 10, 64)
	if err != nil {
		return origin{}, fmt.Errorf("the system's identifier: %w", err)
	}
	timeline, err := strconv.ParseUint(string(row[1]), 10, 32)
	if err != nil {
		return origin{}, fmt.Errorf("the server's timeline: %w", err)
	}
	return origin{system, uint32(timeline), string(row[3])}, nil
}

// createSlot makes a slot that ends with the connection. It returns when every transaction that was writing at its
// beginning is over.
func (s *stream) createSlot(ctx context.Context, name string) error {
	_, err := s.row(ctx, "CREATE_REPLICATION_SLOT "+name+" TEMPORARY LOGICAL pgoutput NOEXPORT_SNAPSHOT")
	return err
}

// row runs a command that answers with one row of at least two columns.
func (s *stream) row(ctx context.Context, command string) ([][]byte, error) {
	results, err := s.conn.Exec(ctx, command).ReadAll()
	if err != nil {
		return nil, err
	}
	if len(results) != 1 || len(results[0].Rows) != 1 || len(results[0].Rows[0]) < 2 {
		return nil, fmt.Errorf("unexpected answer to %s", command)
	}
	return results[0].Rows[0], nil
}

// start begins to stream what is committed after the slot was created.
func (s *stream) start(ctx context.Context, slot, publication string) error {
	// A list of identifiers inside of a string literal.
	names := strings.ReplaceAll(pgx.Identifier{publication}.Sanitize(), "'", "''")
	s.conn.Frontend().SendQuery(&pgproto3.Query{String: "START_REPLICATION SLOT " + slot +
		" LOGICAL 0/0 (proto_version '1', publication_names '" + names + "', messages 'true')"})
	if err := s.conn.Frontend().Flush(); err != nil {
		return err
	}
	for {
		message, err := s.conn.ReceiveMessage(ctx)
		if err != nil {
			return err
		}
		switch m := message.(type) {
		case *pgproto3.CopyBothResponse:
			return nil
		case *pgproto3.ErrorResponse:
			return pgconn.ErrorResponseToPgError(m)
		case *pgproto3.ReadyForQuery:
			return errors.New("the server did not start to stream")
		}
	}
}

// receiver is who gets what the stream brings.
type receiver interface {
	// message gets one message of the output plugin. It is overwritten afterwards.
	message(data []byte) error
	// reached gets the server's position: all that was committed before it has been sent.
	reached(lsn uint64)
	// delivered is the position up to which everything was.
	delivered() uint64
}

// run passes on what comes until ctx ends or the stream breaks.
func (s *stream) run(ctx context.Context, to receiver) error {
	conn := s.conn.Conn()
	defer context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })()
	heard := time.Now()
	for {
		quiet := time.Since(heard)
		if quiet > silence {
			return fmt.Errorf("the server has not answered for %s", silence)
		}
		if err := s.acknowledge(to.delivered(), quiet > askAfter); err != nil {
			return err
		}
		if err := conn.SetReadDeadline(time.Now().Add(acknowledgeEvery)); err != nil {
			return err
		}
		if ctx.Err() != nil { // AfterFunc's deadline may have come before this one
			return ctx.Err()
		}
		n, err := s.receive(to)
		if n > 0 {
			heard = time.Now()
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
}

// receive passes messages on until one must be answered at once or the read deadline has passed, which also ends what
// never has to wait. It returns their number.
func (s *stream) receive(to receiver) (n int, err error) {
	for ; ; n++ {
		message, err := s.conn.Frontend().Receive()
		if err != nil {
			return n, err
		}
		switch m := message.(type) {
		case *pgproto3.CopyData:
			answer, err := unwrap(m.Data, to)
			if err != nil || answer {
				return n + 1, err
			}
		case *pgproto3.ErrorResponse:
			return n, pgconn.ErrorResponseToPgError(m)
		case *pgproto3.CopyDone, *pgproto3.CommandComplete, *pgproto3.ReadyForQuery:
			return n, errors.New("the server ended the stream")
		}
	}
}

// The messages inside of CopyData.
const (
	walData      = 'w' // start, end, time, data
	keepalive    = 'k' // end, time, reply requested
	statusUpdate = 'r' // written, flushed, applied, time, reply requested
)

func unwrap(data []byte, to receiver) (answer bool, err error) {
	switch {
	case len(data) >= 25 && data[0] == walData:
		return false, to.message(data[25:])
	case len(data) == 18 && data[0] == keepalive:
		to.reached(binary.BigEndian.Uint64(data[1:]))
		return data[17] != 0, nil
	}
	return false, fmt.Errorf("unexpected message of %d bytes in the stream", len(data))
}

// acknowledge tells the server how far we are. A slot that was not advanced would keep it from recycling its log, and a
// server that hears nothing for wal_sender_timeout ends the stream.
func (s *stream) acknowledge(lsn uint64, ask bool) error {
	sincePostgresEpoch := time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)).Microseconds()
	update := []byte{statusUpdate}
	for _, v := range []uint64{lsn, lsn, lsn, uint64(sincePostgresEpoch)} {
		update = binary.BigEndian.AppendUint64(update, v)
	}
	if ask {
		update = append(update, 1)
	} else {
		update = append(update, 0)
	}
	if err := s.conn.Conn().SetWriteDeadline(time.Now().Add(silence)); err != nil {
		return err
	}
	s.conn.Frontend().Send(&pgproto3.CopyData{Data: update})
	return s.conn.Frontend().Flush()
}
