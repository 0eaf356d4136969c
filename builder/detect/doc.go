// Package detect says how a source is built: with which commands, in which folder, and where
// the result will be. It reads files through fs.FS and runs nothing, so that a plan can be
// shown before any job is started. Configuration files that are programs are not read.
package detect
