// Package limit keeps a program from taking on more than it can do. It knows nothing of HTTP, of SQL or of any other package
// of this module, and is of use on its own.
package limit
