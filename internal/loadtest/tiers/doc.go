// Package tiers counts what came of a load by phase and by tier of importance, for those who want to know what an overload does to
// whom: who got answers, who was refused, and how soon all was well again. A shape's group is its tier. Imported by
// internal/benchmark, and by the tests of internal/promises.
package tiers
