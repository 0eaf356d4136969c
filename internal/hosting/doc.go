// Package hosting holds Fairway's nouns: projects, deployments, sites, pointers, hosts,
// the job protocol's bodies, the names they are known by, and the errors a person may see.
//
// It relies on the standard library alone and does no input or output, so every other
// package may use it. Rules that only need a noun's own fields (which state follows which,
// what a name may look like) live here; rules that need storage live in the services.
package hosting
