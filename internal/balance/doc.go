// Package balance chooses among hosts that can all do the same: the one that is expected to answer first, and none that has
// failed several times in a row.
//
// The expectation is Finagle's peak EWMA
// (https://linkerd.io/2016/03/16/beyond-round-robin-load-balancing-for-latency/): a moving average of a host's times that
// rises to a peak at once and falls slowly, times the requests under way there and one. Of up to three hosts all are
// compared; of more, two that are drawn (Mitzenmacher, The Power of Two Choices in Randomized Load Balancing, 2001).
//
// It knows neither networks nor PostgreSQL. Imported by internal/replicas.
package balance
