package feed

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"
)

// place is where a session stands among those that share slots.
type place interface {
	// keep gives signs of life until ctx ends or the place is lost.
	keep(ctx context.Context) error
	// opened says that from now on all that is committed comes through a slot of the session's own.
	opened()
}

// member is a session among those that share slots.
type member struct {
	Sharing
	session *slot

	// group is that of the database: others cannot guess it.
	group string
}

// attendance is what an Attend was answered.
type attendance struct {
	seated    bool
	leader    string
	followers int
}

func (m *member) attend(ctx context.Context, slots int, lead, last string) (a attendance, err error) {
	ctx, cancel := context.WithTimeout(ctx, m.Round)
	defer cancel()
	a.seated, a.leader, a.followers, err = m.Relay.Attend(ctx, m.group, m.session.feed.name, slots, lead, last, m.lease())
	return a, err
}

// leave tells the others that there is a place, and nobody who leads. Where they do not hear of it, the lease ends.
func (m *member) leave(lead string) {
	ctx, cancel := context.WithTimeout(context.Background(), m.Round)
	defer cancel()
	_ = m.Relay.Leave(ctx, m.group, m.session.feed.name, lead)
}

// join finds the others that follow the same history of the same database.
func (s *slot) join(ctx context.Context, sharing Sharing) (*member, error) {
	var err error
	if s.origin, err = s.askOrigin(ctx); err != nil {
		return nil, fmt.Errorf("identify the database: %w", err)
	}
	h := hmac.New(sha256.New, sharing.Secret)
	// 1 is the version of all that is told.
	_, _ = fmt.Fprintf(h, "1 %d %d %s %s", s.origin.system, s.origin.timeline, s.origin.database, s.feed.options.Publication) // never fails
	return &member{Sharing: sharing, session: s, group: hex.EncodeToString(h.Sum(nil)[:12])}, nil
}

// takePlace finds out whether the session has a slot of its own or follows, and from whom. Signs of life go on until the
// session ends.
func (s *slot) takePlace(ctx context.Context) error {
	m, err := s.join(ctx, s.feed.options.Sharing.withDefaults())
	if err != nil {
		return err
	}
	leader, err := m.choose(ctx)
	if err != nil {
		return err
	}
	s.feed.follows, s.feed.crowded = leader != "", false
	if leader != "" {
		f, err := m.follow(ctx, leader)
		if err != nil {
			return err
		}
		s.name, s.stream, s.place, s.decoder.relayed = "", f, f, true
		s.feed.update(func(st *Status) { st.Leader = f.leader() })
	} else {
		copier := newCopier(s)
		s.receiver, s.place = copier, &holder{member: m, copier: copier}
	}
	s.work.Go(func() { s.end(s.place.keep(ctx)) })
	return nil
}

// choose returns the stream to follow, or nothing where the session has a slot of its own. Who has followed, or could not
// have a slot, looks for another leader first, for the length of a lease: by then those who have slots have told so to a
// Relay that was away. Who starts does not wait for it.
func (m *member) choose(ctx context.Context) (leader string, err error) {
	f := m.session.feed
	begun := time.Now()
	for answered := begun; ; {
		slots := m.Slots
		if (f.follows || f.crowded) && time.Since(answered) < m.lease() {
			slots = 0
		}
		a, err := m.attend(ctx, slots, "", "")
		reason := "waiting for an instance that leads"
		switch {
		case ctx.Err() != nil:
			return "", ctx.Err()
		case err != nil && !f.follows && time.Since(begun) > 2*m.Round:
			f.options.Logger.Warn("the change feed does not share slots", "error", err)
			return "", nil
		case err != nil:
			reason, answered = "waiting for Redis: "+err.Error(), time.Now()
		case a.seated:
			return "", nil
		case a.leader != "":
			return a.leader, nil
		}
		f.setState(Starting, reason)
		select {
		case <-ctx.Done():
		case <-time.After(m.Round / 4):
		}
	}
}
