package runner

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// MaxToken is the longest token, in bytes.
const MaxToken = 4 << 10

// TokenVariable is where a job finds its token that was started elsewhere, with nobody to write
// to its standard input. It has to be removed before anything of the build runs: see Conceal.
const TokenVariable = "FAIRWAY_JOB_TOKEN"

// ReadToken reads the token that a runner on this machine writes as the first line of the
// job's standard input: it is for the job program. An error means that the server ended before
// it made the job findable: the job has to end without doing anything.
func ReadToken(stdin io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(stdin, MaxToken+1)).ReadString('\n')
	if token := strings.TrimSuffix(line, "\n"); err == nil && token != "" {
		return token, nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return "", errors.New("read the job's token: its input ended without one")
	}
	return "", fmt.Errorf("read the job's token: %w", err)
}
