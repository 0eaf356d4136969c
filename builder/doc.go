// Package builder is one build: it fetches a source, finds out how it is built, installs,
// builds, collects what came out, uploads what is missing and sends the inventory.
//
// It knows control only through the job protocol (Control, Uploads, Logs) and trusts
// nothing of what it builds: git is called without a shell and dials through guard's proxy,
// archives and outputs are read through os.Root, log lines are stripped of everything a
// terminal could obey, and every process that a command leaves behind is killed before its
// output is hashed. The only shell is the one that runs the project's own commands.
//
// It does not isolate the build from the machine: that is the runner's part. It writes no
// manifest and believes no rule file: that is control's part.
//
// Collect, Upload and Pack stand on their own, for a client that publishes a folder.
package builder
