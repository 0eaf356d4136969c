// Package account knows people: who they are, how they sign in, which teams they belong to,
// and by which sessions and tokens they are known later. It turns a credential into the
// hosting.Caller that every other service takes.
//
// It relies on the state store alone, so that everything it decides is decided once for all
// processes; what is kept in memory (when a session was last used, which hashes run) may be
// lost. It decides who somebody is, not what a route asks for: that is hosting.Caller.May,
// asked by the transport.
package account
