package hosting

import (
	"path"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of one deployment. The zero value of a field means the default of DefaultLimits.
type Limits struct {
	BuildTime   time.Duration `json:"buildTime"`   // the whole attempt
	Files       int           `json:"files"`       // in one site
	FileBytes   int64         `json:"fileBytes"`   // of one file
	SiteBytes   int64         `json:"siteBytes"`   // of all files, uncompressed
	SourceBytes int64         `json:"sourceBytes"` // of the archive, packed
	LogBytes    int64         `json:"logBytes"`    // of one deployment's log
}

// DefaultLimits are what holds where the operator sets nothing.
func DefaultLimits() Limits {
	return Limits{
		BuildTime: 45 * time.Minute, Files: 100_000, FileBytes: 2 << 30, SiteBytes: 8 << 30,
		SourceBytes: 512 << 20, LogBytes: 64 << 20,
	}
}

// OrDefaults returns l with the defaults in its fields that are not set.
func (l Limits) OrDefaults() Limits {
	d := DefaultLimits()
	return Limits{
		BuildTime:   positive(l.BuildTime, d.BuildTime),
		Files:       positive(l.Files, d.Files),
		FileBytes:   positive(l.FileBytes, d.FileBytes),
		SiteBytes:   positive(l.SiteBytes, d.SiteBytes),
		SourceBytes: positive(l.SourceBytes, d.SourceBytes),
		LogBytes:    positive(l.LogBytes, d.LogBytes),
	}
}

func positive[T ~int | ~int64](v, otherwise T) T {
	if v <= 0 {
		return otherwise
	}
	return v
}

// MaxBlob is the largest blob, in bytes; a larger file is a list of them.
const MaxBlob = 1 << 20

// MaxManifest is the largest manifest, in bytes.
const MaxManifest = 32 << 20

// Job is all that one attempt at one deployment needs to know.
type Job struct {
	Deployment DeploymentID  `json:"deployment"`
	Project    ProjectID     `json:"project"`
	Attempt    int           `json:"attempt"`
	Source     Source        `json:"source"`
	Settings   BuildSettings `json:"settings"`
	Policy     SourcePolicy  `json:"policy"`
	Limits     Limits        `json:"limits"`
	// Variables are the project's, for this target: given to its install and build commands
	// alone. The values of secret ones are masked in the log.
	Variables []JobVariable `json:"variables,omitempty"`
	// LogNext is the number that the attempt's first log line has.
	LogNext int64 `json:"logNext"`
	// Deadline ends the attempt.
	Deadline time.Time `json:"deadline"`
}

// JobVariable is a variable with its value.
type JobVariable struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Secret bool   `json:"secret,omitempty"`
}

// Heartbeat tells control that the attempt lives, and where it is.
type Heartbeat struct {
	Phase   Phase  `json:"phase,omitempty"`
	Commit  string `json:"commit,omitempty"`
	Message string `json:"message,omitempty"`
	Author  string `json:"author,omitempty"`
}

// LogLine is one line of a deployment's log.
type LogLine struct {
	N      int64  `json:"n"`              // its number in the deployment, from 1, without gaps
	At     int64  `json:"t"`              // Unix milliseconds at the job
	Stream string `json:"s"`              // "out", "err" or "sys" (Fairway itself)
	Step   Phase  `json:"step,omitempty"` // phase that printed it
	Text   string `json:"x"`              // without line ending
}

// LogGap stands for lines that who follows a log is not shown, since the build prints more than
// anybody can read. The log has them.
type LogGap struct {
	First int64 `json:"first"` // number of the first of them
	Last  int64 `json:"last"`
}

// LogMatch is a line that a search of several logs found.
type LogMatch struct {
	Deployment DeploymentID `json:"deployment"`
	Line       LogLine      `json:"line"`
}

// MaxLogLine is the longest line, in bytes; longer ones are split.
const MaxLogLine = 16 << 10

// LogBatch brings lines with consecutive numbers, the first of which is First. A batch that
// was stored before is acknowledged again and changes nothing.
type LogBatch struct {
	First int64     `json:"first"`
	Lines []LogLine `json:"lines"`
}

// LogAck names the number of the line that is awaited next: all before it are durable.
type LogAck struct {
	Next int64 `json:"next"`
}

// BlobRef names a blob.
type BlobRef struct {
	Digest Digest `json:"digest"`
	Size   int64  `json:"size"`
}

// MissingRequest asks which of the blobs have to be uploaded, and which files need not be
// compressed.
type MissingRequest struct {
	Blobs []BlobRef `json:"blobs"`
	// Files are digests of whole files that the job would compress.
	Files []Digest `json:"files,omitempty"`
}

// MissingAnswer lists the blobs to upload, each by one PUT.
type MissingAnswer struct {
	Missing []BlobUpload `json:"missing"`
	// Forms are those of the Files that are stored already.
	Forms []FileForm `json:"forms,omitempty"`
}

// FileForm is the compressed form of a file's content.
type FileForm struct {
	File Digest `json:"file"`
	Form Form   `json:"form"`
}

// BlobUpload is one blob to upload. An empty URL means PUT /jobs/{id}/blobs/{digest} of the
// API itself. Otherwise the URL is the object store's, for a PUT of exactly this blob with the
// Headers, some minutes long: 2xx and 412 both say that it is stored. It is a secret. Who cannot
// reach it, or is refused there, may ask again, and may always use the API's.
type BlobUpload struct {
	Digest  Digest            `json:"digest"`
	URL     string            `json:"url,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
}

// String says which blob, and where it goes, without what makes the URL a secret.
func (u BlobUpload) String() string {
	where, _, _ := strings.Cut(u.URL, "?")
	return strings.TrimSpace(u.Digest.String() + " " + where)
}

// Fallback says what a site shows for a path that has no file.
type Fallback string

// The fallbacks.
const (
	FallbackNone Fallback = "none" // the nearest 404.html, else a plain 404
	FallbackSPA  Fallback = "spa"  // /index.html with 200, unless the site has a 404.html or the path looks like an asset
)

// Inventory is what a job says it made. Control believes none of it unchecked.
type Inventory struct {
	Files    []File   `json:"files"`
	Fallback Fallback `json:"fallback,omitempty"`
	// Framework is the detected preset, for people.
	Framework string `json:"framework,omitempty"`
}

// File is one file of a site.
type File struct {
	Path   string `json:"path"`   // without leading slash, "/" between segments
	Digest Digest `json:"digest"` // of the whole content
	Size   int64  `json:"size"`
	Forms  []Form `json:"forms"` // identity first, then br where it pays
	// Immutable says that the name changes with the content, so that browsers may keep it
	// without asking, and that pages of earlier deployments go on finding it for a while.
	Immutable bool `json:"immutable,omitempty"`
}

// Form is one stored form of a file.
type Form struct {
	Encoding string    `json:"encoding"` // "identity" or "br"
	Size     int64     `json:"size"`
	Parts    []BlobRef `json:"parts"` // in order; each but the last is MaxBlob long
}

// The encodings of stored forms.
const (
	EncodingIdentity = "identity"
	EncodingBrotli   = "br"
)

// MaxPath is the longest path of a file, in bytes.
const MaxPath = 1024

// CheckFilePath says whether p can be a published file's path: relative, clean, UTF-8,
// without backslashes, NUL and line ends. Which names are better not published, such as .git,
// is for whoever collects the files.
func CheckFilePath(p string) error {
	if isPlainPath(p) {
		return nil // nearly every file of every site: an edge checks them all before it serves one
	}
	switch {
	case !utf8.ValidString(p):
		return Errorf(CodeInvalid, "the file name %q is not UTF-8", clip(p, 120)).WithHint("rename it")
	case p == "" || len(p) > MaxPath:
		return Errorf(CodeInvalid, "the path %q is empty or longer than %d bytes", clip(p, 80), MaxPath)
	case strings.ContainsAny(p, "\x00\\\r\n") || p[0] == '/' || path.Clean(p) != p || p == "." || p == ".." || strings.HasPrefix(p, "../"):
		return Errorf(CodeInvalid, "the path %q cannot be published", clip(p, 120)).WithHint("rename it without backslashes, line ends and ..")
	}
	return nil
}

// isPlainPath reports whether p is a clean relative path of printable ASCII, without a segment
// that begins with a dot. It looks at each byte once.
func isPlainPath(p string) bool {
	if len(p) > MaxPath {
		return false
	}
	last := byte('/') // a segment begins
	for i := range len(p) {
		c := p[i]
		if c <= ' ' || c > '~' || c == '\\' || last == '/' && (c == '/' || c == '.') {
			return false
		}
		last = c
	}
	return last != '/' // which an empty one ends with, too
}

// Failure is why a job gave up.
type Failure struct {
	Code   string `json:"code"`   // one of the Fail codes
	Reason string `json:"reason"` // for people, with what to do
}

// Finish ends an attempt, by an inventory or by a failure. It may be repeated.
type Finish struct {
	Inventory *Inventory `json:"inventory,omitempty"`
	Failure   *Failure   `json:"failure,omitempty"`
	// LogNext is the number behind the attempt's last log line, 0 where it has not brought all
	// of them: lines that are not there then make the answer CodeIncomplete.
	LogNext int64 `json:"logNext,omitempty"`
}
