package guard

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// Resolver finds the addresses of a name; *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Limits of one dial.
const (
	dialTimeout  = 15 * time.Second       // of one address
	dialStagger  = 250 * time.Millisecond // until the next address is tried beside it (RFC 8305)
	maxAddresses = 8                      // that are tried; all are judged
)

// Dialer dials what its policy admits. It is safe for concurrent use; its fields must not
// be changed once it is used.
type Dialer struct {
	// Resolver is net.DefaultResolver unless it is set before the first use.
	Resolver Resolver

	policy  Policy
	connect func(ctx context.Context, network, address string) (net.Conn, error)
}

// NewDialer returns a dialer that holds to p.
func NewDialer(p Policy) *Dialer {
	d := &net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}
	return &Dialer{Resolver: net.DefaultResolver, policy: p, connect: d.DialContext}
}

// DialContext connects to address ("host:port") over TCP. The host is resolved once, all its
// addresses have to be admitted, and one of them is dialed: nothing is resolved again behind
// it. A refusal matches ErrRefused and happens before any packet is sent to the host.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if network != "tcp" && network != "tcp4" && network != "tcp6" {
		return nil, refuse("%q is not spoken", network)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil || !validPort(port) || !validHost(host) {
		return nil, refuse("%q is none that can be reached", clip(address)).with("write it as host:port")
	}
	addrs, err := d.resolve(ctx, host, port)
	if err != nil {
		return nil, err
	}
	conn, err := d.race(ctx, network, port, addrs)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", address, err)
	}
	return conn, nil
}

// resolve returns the addresses of host if every one of them is admitted. One bad answer
// among good ones refuses the name: whoever controls it controls which is dialed.
func (d *Dialer) resolve(ctx context.Context, host, port string) ([]netip.Addr, error) {
	trusted := d.policy.Open || d.policy.listsHost(host, port)
	if !trusted {
		if err := checkHost(host); err != nil {
			return nil, err
		}
	}
	addrs, err := d.lookup(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("look up %s: %w", host, err)
	}
	for _, a := range addrs {
		if why := notPublic(a); why != "" && !trusted {
			return nil, refuse("the host %q has an address that is not public (%s)", clip(host), why).with(askOperator)
		}
	}
	return addrs[:min(len(addrs), maxAddresses)], nil
}

func (d *Dialer) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	addrs, err := d.Resolver.LookupNetIP(ctx, "ip", host)
	if err == nil && len(addrs) == 0 {
		err = errors.New("no such host")
	}
	return addrs, err
}

// attempt is how dialing one address ended.
type attempt struct {
	conn net.Conn
	err  error
}

// race dials the addresses in the resolver's order, each a little after the one before or
// as soon as that has failed, and returns the first connection. The others are ended and
// waited for.
func (d *Dialer) race(ctx context.Context, network, port string, addrs []netip.Addr) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan attempt)
	tried, pending := 0, 0
	try := func() {
		address := net.JoinHostPort(addrs[tried].Unmap().String(), port)
		tried, pending = tried+1, pending+1
		go func() {
			conn, err := d.connect(ctx, network, address)
			done <- attempt{conn, err}
		}()
	}
	next := time.NewTimer(dialStagger)
	defer next.Stop()
	var failed error
	for try(); pending > 0; {
		select {
		case a := <-done:
			pending--
			if a.err == nil {
				cancel()
				drain(done, pending)
				return a.conn, nil
			}
			failed = errors.Join(failed, a.err)
		case <-next.C:
		}
		if tried < len(addrs) && ctx.Err() == nil {
			try()
			next.Reset(dialStagger)
		}
	}
	cancel()
	return nil, failed
}

// drain waits for n attempts that came too late.
func drain(done <-chan attempt, n int) {
	for range n {
		if a := <-done; a.conn != nil {
			_ = a.conn.Close()
		}
	}
}
