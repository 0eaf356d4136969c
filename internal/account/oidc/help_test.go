package oidc_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// transport is a function as a transport.
type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

func contextWithTimeout(t *testing.T, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), d)
}

// asShown is the part of an error that a person sees.
func asShown(err error) (*hosting.Error, bool) { return errors.AsType[*hosting.Error](err) }
