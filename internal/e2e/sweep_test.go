package e2e

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
)

// gram is the length of what the sweep looks for: any run of so many characters of a secret,
// in any of its forms, is a leak.
const gram = 16

// sweep finds secrets in bytes: as they are, in hex, and in base64 at each of the three
// offsets, in both alphabets. It looks every run of gram bytes up in one table, so that its
// time does not depend on the number of secrets.
type sweep struct {
	grams map[[gram]byte]int32 // to the place in names
	bloom []uint64             // by a hash of a gram: most bytes are told apart here
	names []string

	table sync.RWMutex               // guards what is above
	mu    sync.Mutex                 // guards what is below
	found map[string]map[string]bool // secret's name -> places
	bytes int64
}

func newSweep() *sweep {
	return &sweep{grams: map[[gram]byte]int32{}, bloom: make([]uint64, 1<<18), found: map[string]map[string]bool{}}
}

// Add makes a secret one of those that are looked for. What is shorter than gram bytes cannot
// be told from chance.
func (s *sweep) Add(name, secret string) {
	if len(secret) < gram {
		panic("sweep: " + name + " is too short to be looked for")
	}
	s.table.Lock()
	defer s.table.Unlock()
	s.names = append(s.names, name)
	forms := []string{secret, hex.EncodeToString([]byte(secret)), strings.ToUpper(hex.EncodeToString([]byte(secret)))}
	for offset := range 3 {
		encoded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", offset) + secret))
		// The first and the last characters also depend on what stands beside the secret.
		first, last := (offset*8+5)/6, (offset+len(secret))*8/6
		forms = append(forms, encoded[first:last])
	}
	for _, form := range forms {
		b := folded([]byte(form))
		for i := 0; i+gram <= len(b); i++ {
			g := [gram]byte(b[i:])
			s.grams[g] = int32(len(s.names) - 1)
			h := hash(g[:])
			s.bloom[h>>6] |= 1 << (h & 63)
		}
	}
}

// folded writes the URL's alphabet of base64 as the standard one.
func folded(b []byte) []byte {
	if !bytes.ContainsAny(b, "-_") {
		return b
	}
	b = bytes.ReplaceAll(b, []byte("-"), []byte("+"))
	return bytes.ReplaceAll(b, []byte("_"), []byte("/"))
}

// hash is of the first 8 bytes, 24 bits long.
func hash(b []byte) uint32 {
	v := uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
		uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
	return uint32(v * 0x9E3779B97F4A7C15 >> 40)
}

// Look notes which secrets are in the bytes of a place. What is packed is looked at unpacked
// as well.
func (s *sweep) Look(place string, b []byte) {
	s.look(place, b)
	if z, err := gzip.NewReader(bytes.NewReader(b)); err == nil {
		plain, _ := io.ReadAll(io.LimitReader(z, 256<<20)) // as far as it can be read
		s.look(place+" (unpacked)", plain)
	}
	if strings.HasSuffix(place, ".br") {
		plain, _ := io.ReadAll(io.LimitReader(brotli.NewReader(bytes.NewReader(b)), 256<<20))
		s.look(place+" (unpacked)", plain)
	}
}

func (s *sweep) look(place string, b []byte) {
	s.mu.Lock()
	s.bytes += int64(len(b))
	s.mu.Unlock()
	b = folded(b)
	s.table.RLock()
	defer s.table.RUnlock()
	for i := 0; i+gram <= len(b); i++ {
		h := hash(b[i:])
		if s.bloom[h>>6]&(1<<(h&63)) == 0 {
			continue
		}
		if n, ok := s.grams[[gram]byte(b[i:])]; ok {
			s.note(s.names[n], place)
		}
	}
}

func (s *sweep) note(name, place string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.found[name] == nil {
		s.found[name] = map[string]bool{}
	}
	s.found[name][place] = true
}

// Places lists where the secret was found.
func (s *sweep) Places(name string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var places []string
	for p := range s.found[name] {
		places = append(places, p)
	}
	slices.Sort(places)
	return places
}

// LookInto looks at every file below a folder but those named, with paths told from it.
func (s *sweep) LookInto(dir, place string, but ...string) {
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil // something that just went, a socket, a folder
		}
		rel, _ := filepath.Rel(dir, path)
		if slices.Contains(but, rel) {
			return nil
		}
		if b, err := os.ReadFile(path); err == nil {
			s.Look(place+" "+rel, b)
		}
		return nil
	})
}

func TestSweep_FindsSecretsInEveryForm(t *testing.T) {
	s := newSweep()
	s.Add("planted", `p4ss/"wörd"&0123456789`)
	s.Add("other", "another secret that nobody tells")
	secret := `p4ss/"wörd"&0123456789`
	pad := strings.Repeat("z", 1000)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = io.WriteString(z, pad+secret) // to memory
	_ = z.Close()
	for place, b := range map[string]string{
		"plain":        pad + secret + pad,
		"hex":          pad + hex.EncodeToString([]byte("x"+secret)),
		"HEX":          strings.ToUpper(hex.EncodeToString([]byte(secret))),
		"base64":       base64.StdEncoding.EncodeToString([]byte(secret)),
		"base64 at 1":  base64.StdEncoding.EncodeToString([]byte("k" + secret + "!")),
		"base64 at 2":  base64.StdEncoding.EncodeToString([]byte("k=" + secret + "!")),
		"base64 URL":   base64.RawURLEncoding.EncodeToString([]byte("user:" + secret)),
		"gzip":         packed.String(),
		"its end only": pad + secret[len(secret)-gram:],
	} {
		s.Look(place, []byte(b))
		if places := s.Places("planted"); !slices.ContainsFunc(places, func(p string) bool { return strings.HasPrefix(p, place) }) {
			t.Errorf("%s: not found", place)
		}
	}
	s.Look("nothing", []byte(pad+secret[:gram-1]+pad))
	if slices.Contains(s.Places("planted"), "nothing") || len(s.Places("other")) > 0 {
		t.Error("it finds what is not there")
	}
}

// procs samples the command lines and environments of a server's processes.
type procs struct {
	s       *Server
	sweep   *sweep
	stop    chan struct{}
	done    chan struct{}
	samples int
	seen    map[int]bool // processes
}

// watchProcs samples until Stop is called. A build's own commands have the variables in their
// environment, where they belong; that alone is not looked at.
func (s *Server) watchProcs(sw *sweep) *procs {
	p := &procs{s: s, sweep: sw, stop: make(chan struct{}), done: make(chan struct{}), seen: map[int]bool{}}
	go func() {
		defer close(p.done)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-p.stop:
				return
			case <-tick.C:
				p.sample()
			}
		}
	}()
	return p
}

// Stop ends the sampling.
func (p *procs) Stop() {
	close(p.stop)
	<-p.done
}

// process is a line of the table of processes.
type process struct {
	pid, parent int
	args        []byte
	env         []byte
}

func (p *procs) sample() {
	p.samples++
	all := processes()
	for _, proc := range all {
		job, command := all.jobOf(proc)
		if !job && !all.below(proc, p.s.cmd.Process.Pid) {
			continue
		}
		p.seen[proc.pid] = true
		p.sweep.Look("command line of a process", proc.args)
		if !command {
			p.sweep.Look("environment of a process", proc.env)
		}
	}
	p.sweep.LookInto(filepath.Join(p.s.Data, "jobs"), "jobs folder")
}

type table map[int]process

// processes reads the whole table; what ends meanwhile is not in it.
func processes() table {
	all := table{}
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, d := range dirs {
		pid, err := strconv.Atoi(filepath.Base(d))
		stat, err2 := os.ReadFile(filepath.Join(d, "stat"))
		if err != nil || err2 != nil {
			continue
		}
		proc := process{pid: pid}
		// The name, in brackets, may hold anything; behind it are the state and the parent.
		if fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:])); len(fields) > 1 {
			proc.parent, _ = strconv.Atoi(fields[1]) // the kernel writes a number
		}
		proc.args, _ = os.ReadFile(filepath.Join(d, "cmdline")) // empty when it just went
		proc.env, _ = os.ReadFile(filepath.Join(d, "environ"))
		all[pid] = proc
	}
	return all
}

// jobOf says whether the process is a build job, "fairway job", or a command below one.
func (t table) jobOf(proc process) (job, command bool) {
	for depth := 0; depth < 64; depth++ {
		if args := bytes.Split(proc.args, []byte{0}); len(args) > 1 && bytes.Contains(args[0], []byte("fairway")) && string(args[1]) == "job" {
			return true, depth > 0
		}
		next, ok := t[proc.parent]
		if !ok {
			return false, false
		}
		proc = next
	}
	return false, false
}

// below says whether the process is the one or a descendant of it.
func (t table) below(proc process, pid int) bool {
	for range 64 {
		if proc.pid == pid {
			return true
		}
		next, ok := t[proc.parent]
		if !ok {
			return false
		}
		proc = next
	}
	return false
}
