// Package scenario makes loads of what users write: a YAML file, a URL on the command line, or a recording of real traffic.
//
// A Scenario is such a file as a value. Parse reads one and names all that is wrong with it by line and column, FromAccessLog
// and FromHAR make one of a recording without its secrets, WriteYAML writes it, and Scenario.Load turns it into the
// loadtest.Load that is run. Values of variables that come from files and the environment are secrets as far as this package
// is concerned: they are in no error. It sends nothing itself. Imported by cmd/slipstream.
package scenario
