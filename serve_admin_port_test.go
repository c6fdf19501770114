package slipstream_test

import (
	"fmt"
	"net"
	"net/http"
	"testing"
)

// PostgREST has no admin server by default: that the port of ours is taken must not keep the API from starting.
func TestTheDefaultPortOfTheAdminServerIsTaken(t *testing.T) {
	s := newSite(t, "create table item (id int);")
	var taken net.Listener
	for taken == nil { // a port whose neighbour below is free
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		below := l.Addr().(*net.TCPAddr).Port - 1
		if free, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", below)); err == nil {
			_ = free.Close()
			taken, s.config.ServerPort = l, below
		} else {
			_ = l.Close()
		}
	}
	defer taken.Close()
	s.config.AdminServerPort = 0
	s.run()
	s.ready()
	s.get("/item").check(t, 200, "[]")
	if s.AdminAddr() == taken.Addr().String() {
		t.Fatal("it listens on a port that is taken")
	}
	r, err := http.NewRequest(http.MethodGet, "http://"+s.AdminAddr()+"/ready", nil)
	if err != nil {
		t.Fatal(err)
	}
	s.do(r).check(t, 200, "*")
}
