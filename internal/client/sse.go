package client

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"time"
)

// message is one server-sent event (HTML standard, section 9.2.6).
type message struct {
	id   string // the last one that was sent, which holds until another is
	kind string // "" where none was named
	data []byte
}

// maxMessage bounds a message: a log line is at most 16 KiB before JSON escapes it.
const maxMessage = 1 << 20

var errMessageTooLong = errors.New("an event is longer than 1 MiB")

// messageReader reads a stream of server-sent events.
type messageReader struct {
	r     *bufio.Reader
	alive func()        // called for every line, comments included; may be nil
	retry time.Duration // what the server asked for; 0 where it did not
	last  string
	begun bool
	cr    bool // the line before ended in CR: an LF that follows belongs to it
}

func newMessageReader(r io.Reader) *messageReader {
	return &messageReader{r: bufio.NewReader(r)}
}

// Next returns the next message that has data. What the stream's end cuts off is dropped,
// as the standard says; the error is then io.EOF or whatever ended the stream.
func (m *messageReader) Next() (message, error) {
	var kind string
	var data []byte
	hasData := false
	for {
		line, err := m.line()
		if err != nil {
			return message{}, err
		}
		if len(line) == 0 {
			if hasData {
				return message{id: m.last, kind: kind, data: data}, nil
			}
			kind = ""
			continue
		}
		switch field, value := splitField(line); field {
		case "event":
			kind = string(value)
		case "data":
			if hasData {
				data = append(data, '\n')
			}
			data = append(data, value...)
			hasData = true
			if len(data) > maxMessage {
				return message{}, errMessageTooLong
			}
		default:
			m.control(field, value)
		}
	}
}

// control takes in the fields that are about the stream rather than about one message.
func (m *messageReader) control(field string, value []byte) {
	switch field {
	case "id":
		if !bytes.ContainsRune(value, 0) {
			m.last = string(value)
		}
	case "retry":
		if ms, err := strconv.ParseUint(string(value), 10, 31); err == nil {
			m.retry = time.Duration(ms) * time.Millisecond
		}
	}
}

func splitField(line []byte) (field string, value []byte) {
	name, value, _ := bytes.Cut(line, []byte(":"))
	return string(name), bytes.TrimPrefix(value, []byte(" "))
}

// line returns the next whole line, ended by CR, LF or both.
func (m *messageReader) line() ([]byte, error) {
	var line []byte
	for {
		c, err := m.r.ReadByte()
		if err != nil {
			return nil, err
		}
		afterCR := m.cr
		m.cr = c == '\r'
		switch {
		case c == '\n' && afterCR:
			continue
		case c == '\n' || c == '\r':
			if m.alive != nil {
				m.alive()
			}
			return m.trimBOM(line), nil
		case len(line) > maxMessage:
			return nil, errMessageTooLong
		}
		line = append(line, c)
	}
}

func (m *messageReader) trimBOM(line []byte) []byte {
	if !m.begun {
		m.begun = true
		return bytes.TrimPrefix(line, []byte("\ufeff"))
	}
	return line
}
