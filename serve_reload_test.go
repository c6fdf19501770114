package slipstream_test

import "testing"

// reload makes the server read the schema again.
func (s *site) reload() {
	s.t.Helper()
	if err := s.ReloadSchema(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

// TestReloadRenewsConnections is about what connections keep of the database as it was: the types of the parameters of
// prepared statements, and the settings that a session begins with.
func TestReloadRenewsConnections(t *testing.T) {
	s := serve(t, settingsSQL+"create table cat (id uuid primary key)")
	s.get("/cat?id=eq.dea27321-f988-4a57-93e4-8eeb38f3cf1e").check(t, 200, "[]")
	s.get("/rpc/setting?name=slipstream.mood").check(t, 200, "null")

	s.exec("drop table api.cat; create table api.cat (id bigint primary key); alter role LOGIN set slipstream.mood = 'glad'")
	s.reload()
	s.get("/cat?id=eq.1").check(t, 200, "[]")
	if got := s.setting("slipstream.mood"); got != "glad" {
		t.Errorf("mood after: %q", got)
	}
}
