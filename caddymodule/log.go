package caddymodule

import (
	"context"
	"log/slog"
	"math"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"
)

// logger writes to whatever log Caddy has at the moment of the record. The platform outlives
// configurations, and with each of them Caddy closes its loggers.
func logger() *slog.Logger { return slog.New(following{}) }

// following keeps the attributes and groups, and asks Caddy for the log at each record.
type following struct {
	with []func(slog.Handler) slog.Handler
}

// Enabled implements slog.Handler.
func (f following) Enabled(ctx context.Context, l slog.Level) bool { return f.now().Enabled(ctx, l) }

// Handle implements slog.Handler.
func (f following) Handle(ctx context.Context, r slog.Record) error { return f.now().Handle(ctx, r) }

// WithAttrs implements slog.Handler.
func (f following) WithAttrs(attrs []slog.Attr) slog.Handler {
	return f.and(func(h slog.Handler) slog.Handler { return h.WithAttrs(attrs) })
}

// WithGroup implements slog.Handler.
func (f following) WithGroup(name string) slog.Handler {
	return f.and(func(h slog.Handler) slog.Handler { return h.WithGroup(name) })
}

func (f following) and(more func(slog.Handler) slog.Handler) slog.Handler {
	return following{append(f.with[:len(f.with):len(f.with)], more)}
}

func (f following) now() slog.Handler {
	// Where an error was logged is in no stack trace: its text says what was done.
	var h slog.Handler = zapslog.NewHandler(caddy.Log().WithOptions(zap.WithCaller(false)).Core(), zapslog.WithName("fairway"), zapslog.AddStacktraceAt(math.MaxInt))
	for _, more := range f.with {
		h = more(h)
	}
	return h
}
