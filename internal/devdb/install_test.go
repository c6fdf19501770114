package devdb_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/slipstream-go/slipstream/internal/devdb"
)

func TestMissingServerSaysWhatToInstall(t *testing.T) {
	t.Setenv(devdb.BinDirEnv, t.TempDir())
	_, err := tryStart(devdb.Options{Dir: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), devdb.BinDirEnv) || !strings.Contains(err.Error(), "initdb") {
		t.Errorf("got %v", err)
	}
}

func TestParseMajor(t *testing.T) {
	for output, want := range map[string]int{
		"postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n": 15,
		"postgres (PostgreSQL) 18beta2\n":                        18,
		"postgres (PostgreSQL) 13.0":                             13,
		"postgres (EnterpriseDB) x":                              0,
		"":                                                       0,
	} {
		got, err := devdb.ParseMajor(output)
		if got != want || (err != nil) != (want == 0) {
			t.Errorf("%q: %d, %v", output, got, err)
		}
	}
}

func TestChoose(t *testing.T) {
	for _, c := range []struct {
		installed []int
		data      int
		want      int
		fails     string
	}{
		{[]int{17, 15}, 0, 17, ""},
		{[]int{17, 15}, 15, 15, ""},
		{[]int{17, 15}, 16, 0, "of PostgreSQL 16"},
	} {
		got, err := devdb.ChooseMajor(c.installed, c.data)
		if got != c.want || (err == nil) != (c.fails == "") {
			t.Errorf("%v for data %d: %d, %v", c.installed, c.data, got, err)
		}
		if err != nil && !strings.Contains(err.Error(), c.fails) {
			t.Errorf("error %q lacks %q", err, c.fails)
		}
	}
}

func TestServerEnvDropsClientVariables(t *testing.T) {
	got := devdb.ServerEnv([]string{"PATH=/bin", "PGPORT=1", "PGDATA=/x", "HOME=/h"})
	if !slices.Equal(got, []string{"PATH=/bin", "HOME=/h"}) {
		t.Errorf("got %v", got)
	}
}
