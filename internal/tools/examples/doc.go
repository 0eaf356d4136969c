// Package examples holds nothing but tests: they read what operators copy from examples/, and the
// Dockerfiles, as the programs do that it is for. It is a module of its own, so that those programs'
// libraries are none of Fairway's. `make check-examples` runs it.
package examples
