// Package crash names the points of the code at which the tests kill the process, and the
// steps they leave out to prove that a loss would be found. In a release it does nothing:
// the points only exist in binaries built with the tag "crashpoints".
package crash
