package controlapi

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

func TestWindows_CountExactlyTheLastMinute(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	ws := newWindows(func() time.Time { return now })
	r := rand.New(rand.NewPCG(1, 2))
	const quota = 7
	var counted []time.Time
	for range 20_000 {
		now = now.Add(time.Duration(r.IntN(12_000)) * time.Millisecond)
		used := 0
		for _, at := range counted {
			if now.Sub(at) < windowTime {
				used++
			}
		}
		left, reset, ok := ws.count("ann", quota)
		if ok != (used < quota) || ok && left != quota-used-1 || reset <= 0 || reset > windowTime {
			t.Fatalf("with %d of %d in the last minute: ok %v, left %d, reset %v", used, quota, ok, left, reset)
		}
		if ok {
			counted = append(counted, now)
		} else if _, _, ok := ws.peek("ann", quota, now.Add(reset)); !ok {
			t.Fatal("after the time that it names there is still no room")
		}
	}
}

// peek is whether there were room at another time.
func (ws *windows) peek(key string, quota int, at time.Time) (used int, oldest time.Time, ok bool) {
	w := ws.byKey[key].Value.(*window)
	used, oldest = w.used(at)
	return used, oldest, used < quota
}

func TestWindows_KeepCallersApartAndForgetTheIdle(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	ws := newWindows(func() time.Time { return now })
	for range 3 {
		ws.count("ann", 3)
	}
	if _, _, ok := ws.count("ann", 3); ok {
		t.Error("the fourth of three was let in")
	}
	if _, _, ok := ws.count("ben", 3); !ok {
		t.Error("Ben pays for Ann")
	}
	for i := range 3 * maxWindows {
		ws.count(fmt.Sprint(i), 3)
	}
	if n := len(ws.byKey); n != maxWindows || ws.recent.Len() != maxWindows {
		t.Errorf("%d callers are kept, want %d", n, maxWindows)
	}
}

func TestNetwork_IsTheAddressOrWhatACustomerGets(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.7": "192.0.2.7", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "": "", "none": "none",
	} {
		if got := network(addr); got != want {
			t.Errorf("%q counts as %q, want %q", addr, got, want)
		}
	}
}

func TestParseLimits_ReadsAndRefuses(t *testing.T) {
	l, err := ParseLimits("api=200 logs=off sensitive=1")
	if err != nil || l.quotas() != [limitClasses]int{200, 10, 10, -1, 1} {
		t.Errorf("read %+v, %v", l, err)
	}
	for _, bad := range []string{"api", "api=", "api=0", "api=-1", "none=1", "api=1.5", "api=99999999"} {
		if _, err := ParseLimits(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestHSTS_HoldsWhatIsTheControlHostsOwn(t *testing.T) {
	for _, tc := range []struct{ control, sites, want string }{
		{"fairway.example.net", "example.com", "max-age=31536000; includeSubDomains"},
		{"control.example.com", "example.com", "max-age=31536000; includeSubDomains"},
		{"example.com", "example.com", "max-age=31536000"}, // sites choose for themselves
		{"example.com", "sites.example.com", "max-age=31536000"},
		{"localhost", "localhost", ""}, {"dev.localhost", "dev.localhost", ""}, {"", "", ""},
	} {
		if got := hstsFor(tc.control, tc.sites); got != tc.want {
			t.Errorf("%s beside *.%s: %q, want %q", tc.control, tc.sites, got, tc.want)
		}
	}
}

func TestLocalNext_LeadsToAFewPagesOfThisHost(t *testing.T) {
	for next, want := range map[string]string{
		"/cli?port=4000&state=x": "/cli?port=4000&state=x", "/join?link=x": "/join?link=x", // the control
		"": "/", "/": "/", "https://evil.example/cli": "/", "//evil.example/cli": "/", `/\evil.example`: "/", "/cli/../x": "/", "javascript:alert(1)": "/",
		"/api/user": "/", "/signout": "/", "cli": "/", "/cli#x": "/cli", "\t/cli": "/", "http:/cli": "/",
	} {
		if got := localNext(next); got != want {
			t.Errorf("%q leads to %q, want %q", next, got, want)
		}
	}
}
