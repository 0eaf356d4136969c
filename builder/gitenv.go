package builder

// gitConfig is what every call of git is made with: a repository's own configuration and
// attributes cannot make it run anything.
func gitConfig() []string {
	return []string{
		"-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "core.attributesFile=/dev/null",
		"-c", "protocol.file.allow=never", "-c", "submodule.recurse=false", "-c", "transfer.fsckObjects=true",
		"-c", "credential.helper=", "-c", "log.showSignature=false", "-c", "gc.auto=0",
		// Faults of age that are in many good repositories.
		"-c", "fetch.fsck.zeroPaddedFilemode=ignore", "-c", "fetch.fsck.missingSpaceBeforeDate=ignore", "-c", "fetch.fsck.badTimezone=ignore",
		"-c", "core.symlinks=true", "-c", "advice.detachedHead=false",
	}
}

// gitEnv keeps the machine's and the user's configuration out, and prompts away. PATH and
// certificates come from the environment from.
func gitEnv(from []string, home, protocols string) []string {
	env := []string{
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_ATTR_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
		"GIT_ASKPASS=", "SSH_ASKPASS=", "GIT_LFS_SKIP_SMUDGE=1", "GIT_ALLOW_PROTOCOL=" + protocols,
		"GIT_OPTIONAL_LOCKS=0", "GIT_NO_LAZY_FETCH=1", "LC_ALL=C", "HOME=" + home, "XDG_CONFIG_HOME=" + home,
	}
	for _, name := range []string{"PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO"} {
		if v := lookEnv(from, name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	return env
}
