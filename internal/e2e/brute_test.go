package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// allowedTries is how many wrong passwords of an account are answered within a minute, and
// how many logins of an address.
const allowedTries = 10

// claimLogins is people.4: guessing is slow, tells nothing, and does not slow the sites.
func claimLogins(c *C) {
	c.guessingIsSlow()
	c.timesTellNothing()
	c.loginsDoNotStarveSites()
}

// guess is one try to sign in, as an attacker makes it.
type guess struct {
	email string
	addr  string // where the connection comes from
	forge string // what the headers claim instead
}

// guessed is how it was answered, and when, since the first.
type guessed struct {
	at     time.Duration
	status int
}

// guessAll tries one after the other, not more often than every pace.
func (s *Server) guessAll(c *C, guesses []guess, pace time.Duration) (all []guessed) {
	c.Helper()
	tick := time.NewTicker(max(pace, time.Microsecond))
	defer tick.Stop()
	began := time.Now()
	for i, g := range guesses {
		r := request(c, "POST", s.Control()+"/api/user/login", map[string]any{"email": g.email, "password": fmt.Sprintf("wrong password %d", i)})
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		if g.forge != "" {
			for _, name := range []string{"X-Forwarded-For", "X-Real-Ip", "X-Client-Ip", "Cf-Connecting-Ip", "True-Client-Ip"} {
				r.Header.Set(name, g.forge)
			}
			r.Header.Set("Forwarded", "for="+g.forge)
		}
		v := s.visitorFrom(g.addr, 1)
		a := do(c, v, r)
		v.CloseIdleConnections()
		all = append(all, guessed{time.Since(began), a.Status})
		switch {
		case a.Status == http.StatusUnauthorized:
		case a.Status == http.StatusTooManyRequests && a.Code() == hosting.CodeLimited && a.Header.Get("Retry-After") != "":
		default:
			c.Errorf("try %d was answered %d %v: %.300s", i, a.Status, a.Header, a.Body)
		}
		<-tick.C
	}
	return all
}

// answered is the most tries within a minute that got to the password. A try is counted
// somewhere within its own time, so the window is a second short of the minute.
func answered(all []guessed) int {
	var times []time.Duration
	for _, g := range all {
		if g.status == http.StatusUnauthorized {
			times = append(times, g.at)
		}
	}
	return mostWithin(times, 59*time.Second)
}

// guessingIsSlow guesses with the limits as they are by default: one account from ever other
// addresses, then ever other accounts from one address that claims to be others.
func (c *C) guessingIsSlow() {
	c.Helper()
	s := NewServer(c, "FAIRWAY_SIGNUP=open")
	s.Owner()
	victim, other := s.SignUp("Victim"), s.SignUp("Other")
	forged := func() string {
		return fmt.Sprintf("%d.%d.%d.%d", 1+c.Rand.IntN(223), c.Rand.IntN(256), c.Rand.IntN(256), 1+c.Rand.IntN(254))
	}
	n, pace := 40, time.Duration(0)
	if c.Size >= 1000 {
		n, pace = 400, 500*time.Millisecond // over some minutes
	}
	var one, many, control []guess
	for i := range n {
		one = append(one, guess{email: victim.Email, addr: freshAddress(), forge: forged()})
		if i%3 == 0 { // the address is the same however it is written
			one[i].email = strings.ToUpper(victim.Email)
		}
	}
	from := freshAddress()
	for i := range 40 {
		many = append(many, guess{email: fmt.Sprintf("user%d@people.test", i), addr: from, forge: forged()})
		control = append(control, guess{email: fmt.Sprintf("user%d@people.test", 100+i), addr: freshAddress()})
	}
	guesses := s.guessAll(c, one, pace)
	if got := answered(guesses); got != allowedTries {
		c.Errorf("of %d tries at one account %d were answered within a minute, want %d", n, got, allowedTries)
	}
	other.Again().Do("GET", "/user", nil).Is(200)
	byAddress := answered(s.guessAll(c, many, 0))
	if byAddress != allowedTries {
		c.Errorf("of %d tries of one address with forged headers %d were answered within a minute, want %d", len(many), byAddress, allowedTries)
	}
	// The control: what counts here counts more where nothing is the same.
	if got := answered(s.guessAll(c, control, 0)); got != len(control) {
		c.Errorf("of %d tries at other accounts from other addresses only %d were answered: the counts above mean nothing", len(control), got)
	}
	c.Figure("%d tries at one account from %d addresses: at most %d a minute answered; one address that claims to be %d: %d; others unhindered",
		n, n, answered(guesses), len(many), byAddress)
}

// timesTellNothing compares how long an unknown address and a wrong password take.
func (c *C) timesTellNothing() {
	c.Helper()
	s := NewFastServer(c, unlimited, "FAIRWAY_SIGNUP=open")
	s.Owner()
	var ps []string
	for sample := 0; ; sample++ {
		unknown, known := s.timeLogins(c, sample)
		p := mannWhitney(unknown, known)
		ps = append(ps, fmt.Sprintf("%.3f", p))
		if p > 0.01 {
			least := leastFound(c, unknown, known)
			c.Figure("%d logins each: unknown address %.2f ms, wrong password %.2f ms (medians), Mann-Whitney p = %s; %v more would be found",
				c.Size, ms(quantile(unknown, 0.5)), ms(quantile(known, 0.5)), strings.Join(ps, ", then "), least)
			return
		}
		// One honest sample in a hundred looks like this, two in ten thousand.
		if sample == 1 {
			c.Errorf("an unknown address takes %v, a wrong password %v: p = %v", quantile(unknown, 0.5), quantile(known, 0.5), ps)
			return
		}
	}
}

// leastFound is the control: the least of some planted differences that the same statistic
// finds. The size has to find 2 ms, a quick run a third of a hash.
func leastFound(c *C, unknown, known []time.Duration) time.Duration {
	c.Helper()
	limit := 2 * time.Millisecond
	if c.Size < 1000 {
		limit = max(limit, quantile(known, 0.5)/3)
	}
	for d := 250 * time.Microsecond; d <= limit; d *= 2 {
		if mannWhitney(unknown, shifted(known, d)) < 0.001 && mannWhitney(shifted(unknown, d), known) < 0.001 {
			return d
		}
	}
	if mannWhitney(unknown, shifted(known, limit)) < 0.001 && mannWhitney(shifted(unknown, limit), known) < 0.001 {
		return limit
	}
	c.Errorf("the statistic does not find a planted difference of %v: it proves nothing", limit)
	return limit
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// timeLogins signs in with wrong passwords, one after the other on one connection, each at an
// account of its own: one that is there and one that is not in turns, which first by chance.
func (s *Server) timeLogins(c *C, sample int) (unknown, known []time.Duration) {
	c.Helper()
	v := s.visitorFrom(freshAddress(), 1)
	defer v.CloseIdleConnections()
	v.Transport.(*http.Transport).MaxConnsPerHost = 1
	email := func(i int, there bool) string {
		return fmt.Sprintf("%s%d-%04d@people.test", map[bool]string{true: "a", false: "b"}[there], sample, i)
	}
	post := func(path string, in any) Answer {
		r := request(c, "POST", s.Control()+"/api"+path, in)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		return do(c, v, r)
	}
	for i := range c.Size {
		post("/user/signup", map[string]any{"email": email(i, true), "name": "Somebody", "password": "the long password of somebody"}).OK()
	}
	var told [2]string
	for i := range c.Size {
		order := []bool{true, false}
		if c.Rand.IntN(2) == 0 {
			slices.Reverse(order)
		}
		for _, there := range order {
			in := map[string]any{"email": email(i, there), "password": "a wrong password that is as long"}
			began := time.Now()
			a := post("/user/login", in)
			took := time.Since(began)
			a.Is(http.StatusUnauthorized)
			if there {
				known, told[0] = append(known, took), a.Body
			} else {
				unknown, told[1] = append(unknown, took), a.Body
			}
		}
	}
	if told[0] != told[1] {
		c.Errorf("the answers differ: %s and %s", told[0], told[1])
	}
	return unknown, known
}
