package process

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

const maxToken = 4 << 10

// ReadToken reads the token that Start writes as the first line of the job's standard
// input. An error means that the server ended before it made the job findable: the job has
// to end without doing anything.
func ReadToken(stdin io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(stdin, maxToken+1)).ReadString('\n')
	if errors.Is(err, io.EOF) {
		return "", errors.New("read the job's token: its input ended without one")
	}
	if err != nil {
		return "", fmt.Errorf("read the job's token: %w", err)
	}
	return strings.TrimSuffix(line, "\n"), nil
}
