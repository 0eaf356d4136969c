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
	data []byte // until the next one is read
}

// maxMessage bounds a message: a log line is at most 16 KiB before JSON escapes it.
const maxMessage = 1 << 20

var errMessageTooLong = errors.New("an event is longer than 1 MiB")

// messageReader reads a stream of server-sent events.
type messageReader struct {
	r     *bufio.Reader
	alive func()        // called whenever something came, comments included; may be nil
	retry time.Duration // what the server asked for; 0 where it did not
	last  string
	begun bool
	cr    bool   // the line before ended in CR: an LF that follows belongs to it
	text  []byte // of a line, as far as it was read
	data  []byte // of a message
}

func newMessageReader(r io.Reader) *messageReader {
	return &messageReader{r: bufio.NewReaderSize(r, 32<<10)}
}

// Next returns the next message that has data. What the stream's end cuts off is dropped,
// as the standard says; the error is then io.EOF or whatever ended the stream.
func (m *messageReader) Next() (message, error) {
	var kind string
	data, hasData := m.data[:0], false
	for {
		line, err := m.line()
		if err != nil {
			return message{}, err
		}
		if len(line) == 0 {
			if hasData {
				m.data = data
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

// line returns the next whole line, ended by CR, LF or both. It is good until the next call.
func (m *messageReader) line() ([]byte, error) {
	m.text = m.text[:0]
	for {
		b, err := m.buffered()
		if err != nil {
			return nil, err
		}
		afterCR := m.cr
		m.cr = false
		if afterCR && b[0] == '\n' {
			_, _ = m.r.Discard(1)
			continue
		}
		end := bytes.IndexAny(b, "\r\n")
		whole := end >= 0
		if !whole {
			end = len(b)
		}
		m.text = append(m.text, b[:end]...)
		if len(m.text) > maxMessage {
			return nil, errMessageTooLong
		}
		if !whole {
			_, _ = m.r.Discard(end)
			continue
		}
		m.cr = b[end] == '\r'
		_, _ = m.r.Discard(end + 1)
		return m.trimBOM(m.text), nil
	}
}

// buffered returns what came and was not read, at least one byte.
func (m *messageReader) buffered() ([]byte, error) {
	if m.r.Buffered() == 0 {
		if _, err := m.r.Peek(1); err != nil {
			return nil, err
		}
		if m.alive != nil {
			m.alive()
		}
	}
	return m.r.Peek(m.r.Buffered())
}

func (m *messageReader) trimBOM(line []byte) []byte {
	if !m.begun {
		m.begun = true
		return bytes.TrimPrefix(line, []byte("\ufeff"))
	}
	return line
}
