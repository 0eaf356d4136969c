package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// An entry of a stream is a batch of lines. Its id is the number of the last one, so that the
// entry with a line is the first whose id is not smaller.

// field is where an entry has its lines.
const field = "l"

// pushScript appends an entry if it begins with the line that is awaited. It answers that
// line's number, then, and whether there was a stream before.
var pushScript = redis.NewScript(`
local tail = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
local last, there = tonumber(ARGV[1]), 0
if tail[1] then
	there = 1
	last = math.max(last, tonumber(string.match(tail[1][1], '^%d+')))
end
if ARGV[3] ~= '' and tonumber(ARGV[2]) == last + 1 then
	redis.call('XADD', KEYS[1], ARGV[3] .. '-0', '` + field + `', ARGV[4])
	redis.call('EXPIRE', KEYS[1], ARGV[5])
	last = tonumber(ARGV[3])
end
return {last + 1, there}`)

// push appends the lines from number first on, if that is the one that is awaited behind those
// that were moved.
func (s *Store) push(ctx context.Context, key string, moved, first int64, lines []hosting.LogLine, data []byte) (next int64, there bool, err error) {
	last := ""
	if len(lines) > 0 {
		last = strconv.FormatInt(first+int64(len(lines))-1, 10)
	}
	answer, err := pushScript.Run(ctx, s.cfg.Client, []string{key}, moved, first, last, data, int(streamLife.Seconds())).Int64Slice()
	if err != nil {
		return 0, false, err
	}
	if len(answer) != 2 {
		return 0, false, errors.New("the script answered something else")
	}
	return answer[0], answer[1] == 1, nil
}

// entries is how many of a stream are read at once: each has at most some hundred lines.
const entries = 16

// span reads lines behind after. last is the number of the stream's last line, 0 where there
// is no stream; it is only told where no line is.
func (s *Store) span(ctx context.Context, key string, after int64, limit int) (lines []hosting.LogLine, last int64, err error) {
	for len(lines) < limit {
		var page, end *redis.XMessageSliceCmd
		_, err := s.cfg.Client.Pipelined(ctx, func(p redis.Pipeliner) error {
			page = p.XRangeN(ctx, key, fmt.Sprintf("%d-0", after+1), "+", entries)
			if len(lines) == 0 {
				end = p.XRevRangeN(ctx, key, "+", "-", 1)
			}
			return nil
		})
		if err != nil {
			return nil, 0, err
		}
		for _, m := range page.Val() {
			batch, err := linesOf(m)
			if err != nil {
				return nil, 0, err
			}
			for len(batch) > 0 && batch[0].N <= after {
				batch = batch[1:]
			}
			if len(batch) == 0 || len(lines) > 0 && batch[0].N != after+1 {
				return lines, 0, nil // what is behind a gap is not there yet
			}
			lines, after = append(lines, batch...), batch[len(batch)-1].N
		}
		if len(lines) == 0 && len(end.Val()) > 0 {
			if last, err = numberOf(end.Val()[0].ID); err != nil {
				return nil, 0, err
			}
		}
		if len(page.Val()) < entries {
			break
		}
	}
	return lines[:min(len(lines), limit)], last, nil
}

func linesOf(m redis.XMessage) ([]hosting.LogLine, error) {
	last, err := numberOf(m.ID)
	if err != nil {
		return nil, err
	}
	text, _ := m.Values[field].(string)
	lines, err := decode(strings.NewReader(text))
	if err == nil && (len(lines) == 0 || lines[len(lines)-1].N != last) {
		err = errors.New("an entry of the stream has other lines than its id says")
	}
	return lines, err
}

func numberOf(id string) (int64, error) {
	n, _, _ := strings.Cut(id, "-")
	return strconv.ParseInt(n, 10, 64)
}

// trim drops the entries before the one that ends with the line last, which stays, so that the
// stream tells how far the log goes.
func (s *Store) trim(ctx context.Context, key string, last int64) error {
	return s.cfg.Client.XTrimMinID(ctx, key, fmt.Sprintf("%d-0", last)).Err()
}

// isFull reports whether Redis takes nothing more.
func isFull(err error) bool { return err != nil && strings.HasPrefix(err.Error(), "OOM ") }
