// Package auth turns credentials into a caller: role, verified claims and the
// identity that limits and cache keys are built on.
//
// Every token is verified before anything else looks at it. The package knows
// nothing of PostgreSQL: whether the role exists is the database's to say.
// Imported by edge, rest and the root package.
package auth
