// Package process runs jobs as processes of this machine.
//
// A job is a program in its own session with a folder of its own:
//
//	<Dir>/<name>/ref          which process it is; written and synced before the token is sent
//	<Dir>/<name>/work         its working folder, beside tmp and home
//	<Dir>/<name>/output.log   what the job program itself printed, mostly nothing: a build's
//	                          output goes to control as log lines
//	<Dir>/<name>/exit         how it ended, once it has
//
// That order makes Start safe against a crash at any moment: a program without a token does
// nothing, and reads end of file when its server dies; a token is only sent to a program
// that a restarted server will find. Jobs outlive the server that started them.
//
// A job's processes are found by what they cannot all shed: the mark in their environment,
// their session, their descent. There is no sandbox here: a build is as free as the user
// that runs Fairway. Without /proc (not Linux) only the session's process group is known,
// so that what left it is not found.
package process
