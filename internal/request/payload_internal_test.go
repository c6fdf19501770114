package request

import (
	"strings"
	"testing"
)

// Rows repeat the names of the columns, so that a CSV with long names could become any size.
func TestCSVThatGrowsTooMuchIsRefused(t *testing.T) {
	body := []byte(strings.Repeat("x", 1000) + "\n" + strings.Repeat("1\n", 200))
	if _, err := readCSV(body, 300_000); err != nil {
		t.Fatal(err)
	}
	_, err := readCSV(body, 100_000)
	if err == nil || err.Code != "SLIP103" || err.HTTPStatus() != 413 || err.Details != "As JSON its first 100 rows already have more than 100000 bytes" {
		t.Errorf("%+v", err)
	}
}
