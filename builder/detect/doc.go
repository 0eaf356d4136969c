// Package detect says how a source is built: with which commands, in which folder, and where
// the result will be. It reads files through fs.FS and runs nothing, so that a plan can be
// shown before any job is started.
//
// What is known about frameworks is one ordered table (presets). Configurations that are
// programs are read as text: what they compute is not known here, and said so. No text of
// theirs gets into a command, and no folder of a plan is outside of the source.
package detect
