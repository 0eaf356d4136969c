package feed

import (
	"encoding/json"
	"fmt"
	"log/slog"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// wire is a hosting.Change whose records are read one by one.
type wire struct {
	Mark            hosting.Mark      `json:"mark"`
	Sites           []json.RawMessage `json:"sites"`
	Pointers        []json.RawMessage `json:"pointers"`
	Hosts           []json.RawMessage `json:"hosts"`
	DeletedPointers []json.RawMessage `json:"deletedPointers"`
	DeletedSites    []json.RawMessage `json:"deletedSites"`
	DeletedHosts    []json.RawMessage `json:"deletedHosts"`
}

// decode reads a change. A record that cannot be read, as one of a newer release, is left with
// its key alone, which no routing table takes for a good one: its last good version stays. One
// whose key cannot be read either is left out and logged.
func decode(b []byte, log *slog.Logger) (hosting.Change, error) {
	var w wire
	if err := json.Unmarshal(b, &w); err != nil {
		return hosting.Change{}, fmt.Errorf("%w: %w", errDamaged, err)
	}
	return hosting.Change{
		Mark: w.Mark,
		Sites: records(w.Sites, log, func(k keys) (hosting.Site, bool) {
			return hosting.Site{Name: k.Name}, k.Name != ""
		}),
		Pointers: records(w.Pointers, log, func(k keys) (hosting.Pointer, bool) {
			return hosting.Pointer{Project: k.Project, Name: k.Name}, k.Project != "" && k.Name != ""
		}),
		Hosts: records(w.Hosts, log, func(k keys) (hosting.Host, bool) {
			return hosting.Host{Name: k.Name}, k.Name != ""
		}),
		DeletedPointers: records(w.DeletedPointers, log, func(keys) (k hosting.PointerKey, ok bool) { return k, false }),
		DeletedSites:    records(w.DeletedSites, log, func(keys) (string, bool) { return "", false }),
		DeletedHosts:    records(w.DeletedHosts, log, func(keys) (string, bool) { return "", false }),
	}, nil
}

// keys are the fields by which records are found.
type keys struct {
	Name    string
	Project hosting.ProjectID
}

// records reads what can be read, and makes of the rest what bare makes of its key.
func records[T any](raw []json.RawMessage, log *slog.Logger, bare func(keys) (T, bool)) []T {
	var all []T
	for _, r := range raw {
		var v T
		err := json.Unmarshal(r, &v)
		if err != nil {
			var ok bool
			if v, ok = bare(keysOf(r)); !ok {
				log.Error("a record of the feed cannot be read and is left out", "kind", fmt.Sprintf("%T", v), "err", err)
				continue
			}
		}
		all = append(all, v)
	}
	return all
}

// keysOf reads the key of a record whose other fields cannot be read.
func keysOf(raw json.RawMessage) (k keys) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil {
		return k
	}
	// What is no text leaves its field empty, and the record without a key.
	_ = json.Unmarshal(fields["name"], &k.Name)
	_ = json.Unmarshal(fields["project"], &k.Project)
	return k
}
