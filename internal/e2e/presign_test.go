package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/scale-mesh/fairway/internal/client"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/object"
	"github.com/scale-mesh/fairway/internal/object/objecttest"
)

// claimPresigned is cloud.6: an upload with one wrong byte, of a wrong length, or a second time
// is refused by the store, or by control where the store does not refuse it.
func claimPresigned(c *C) {
	goTest(c, "./internal/object/s3", "TestStore_KeepsTheContractOfAPresigner", "TestPresignPut_Expires", "TestPresignPut_IsOffWhereTheOperatorSaysSo",
		"TestProbe_FindsWhatALenientServiceLetsThrough", "TestProbe_FindsNothingOutWhileTheServiceFails", "TestProbe_SaysNoToAServiceThatTakesNoPresignedUploads")
	goTest(c, "./internal/deploy", "TestMissing_NamesTheStoresOwnAddresses", "TestMissing_NamesTheAPIWhereTheStoreSignsNothing", "TestMissing_SignsNoMoreThanAFewSites",
		"TestFinish_BelievesNoUploadThatItDidNotSee", "TestTrash_TakesWhatComesInByOldSignatures")
	goTest(c, "./internal/client", "TestPutBlob_GoesOnByTheAPIWhereTheStoreDoesNotTakeIt", "TestPutBlob_TriesAStoreThatIsNotThereOnce",
		"TestPutBlob_SaysNothingInTheClearThatCameOverTLS", "TestPutBlob_NeverShowsTheAddressOfTheStore")
	f := newFleet(c).withControl()
	f.control.Stop()
	strict, lenient := f.counted(false), f.counted(true)

	s := f.server(f.objects(strict.addr))
	s.Start()
	up := s.uploader("attacked")
	defer up.end()
	s.eventually(30*time.Second, "uploads are presigned", func() bool { return up.missing([]byte("any"))[0].URL != "" })
	up.attack(c)
	f.bring(s, strict, "a strict store", true)

	s.Stop()
	s.env = append(s.env, f.objects(lenient.addr))
	s.Start()
	s.eventually(30*time.Second, "it is known that the store is lenient", func() bool {
		return strings.Contains(s.out.String(), "other bytes are not refused, other lengths refused, repetitions refused")
	})
	f.bring(s, lenient, "a lenient store", false)
	up = s.uploader("through-control")
	defer up.end()
	up.refusedByControl()
}

// counted is a way to the store that counts how blobs come there. One that is lenient takes
// presigned uploads whose checksum the store refuses.
type counted struct {
	addr string
	mu   sync.Mutex   // guards what follows
	puts map[bool]int // of blobs, by whether they were presigned
}

func (f *fleet) counted(lenient bool) *counted {
	f.Helper()
	k := &counted{puts: map[bool]int{}}
	next := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: f.gateway})
	next.Transport = &http.Transport{MaxIdleConnsPerHost: 64}
	// As the service itself ends a connection under a body that it refuses.
	next.ErrorHandler = func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }
	direct := f.store(f.gateway)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		presigned, key := r.URL.Query().Has("X-Amz-Signature"), strings.TrimPrefix(r.URL.Path, "/"+fleetBucket+"/")
		if r.Method == http.MethodPut && strings.HasPrefix(key, "blobs/") {
			k.mu.Lock()
			k.puts[presigned]++
			k.mu.Unlock()
		}
		if !lenient || !presigned {
			next.ServeHTTP(w, r)
			return
		}
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r)
		if answer.Code == http.StatusBadRequest && direct.Put(r.Context(), key, bytes.NewReader(body), object.Check{Size: int64(len(body))}) == nil {
			answer.Code = http.StatusOK
		}
		w.WriteHeader(answer.Code)
	}))
	f.Cleanup(server.Close)
	k.addr = server.Listener.Addr().String()
	return k
}

// take returns how many blobs came by presigned uploads, and how many by control, since it was
// last asked.
func (k *counted) take() map[bool]int {
	k.mu.Lock()
	defer k.mu.Unlock()
	puts := k.puts
	k.puts = map[bool]int{}
	return puts
}

// bring deploys a folder by the command line, and a repository by a job, and says which way
// their blobs took.
func (f *fleet) bring(s *Server, way *counted, name string, presigns bool) {
	f.Helper()
	way.take()
	slug := strings.ReplaceAll(strings.ToLower(name), " ", "-")
	dir := f.TempDir()
	writeFiles(f, dir, map[string]string{"index.html": "a folder for " + name, "a.txt": "a for " + name, "b.txt": "b for " + name})
	s.Deploy(dir, "--project", slug, "--prebuilt")
	s.Get(s.Site(slug)+"/").Is(200, "a folder for "+name)
	folder := way.take()
	repo, _ := NewForge(f).Push("site", map[string]string{"index.html": "a repository for " + name, "c.txt": "c for " + name})
	s.Deploy(f.TempDir(), "--project", slug+"-git", "--git", repo)
	s.Get(s.Site(slug+"-git")+"/").Is(200, "a repository for "+name)
	job := way.take()
	if folder[presigns] != 3 || folder[!presigns] != 0 || job[presigns] != 2 || job[!presigns] != 0 {
		f.Errorf("%s: of a folder %d blobs came by presigned uploads and %d by control, of a job %d and %d", name, folder[true], folder[false], job[true], job[false])
	}
	f.Figure("%s: of a folder's 3 blobs %d came by presigned uploads, of a job's 2 %d", name, folder[true], job[true])
}

// uploader is a deployment whose files are brought by hand.
type uploader struct {
	s    *Server
	slug string
	api  *client.Client
	job  *client.Job
}

func (s *Server) uploader(slug string) *uploader {
	s.t.Helper()
	u := &uploader{s: s, slug: slug, api: s.Client()}
	if _, err := u.api.CreateProject(context.Background(), hosting.NewProject{Name: slug, Slug: slug}); err != nil {
		s.t.Fatal(err)
	}
	answer, err := u.api.Deploy(context.Background(), hosting.NewDeployment{Project: slug, Source: hosting.SourceFiles})
	if err != nil {
		s.t.Fatal(err)
	}
	u.job = u.api.Job(answer.ID, answer.Upload.Token)
	return u
}

func (u *uploader) end() { u.api.Close() }

// missing asks for the uploads of blobs, none of which control has.
func (u *uploader) missing(blobs ...[]byte) []hosting.BlobUpload {
	u.s.t.Helper()
	var req hosting.MissingRequest
	for _, b := range blobs {
		req.Blobs = append(req.Blobs, hosting.BlobRef{Digest: hosting.DigestOf(b), Size: int64(len(b))})
	}
	answer, err := u.job.Missing(context.Background(), req)
	if err != nil || len(answer.Missing) != len(blobs) {
		u.s.t.Fatalf("missing: %v, %v", answer.Missing, err)
	}
	return answer.Missing
}

// finish publishes the blobs as files.
func (u *uploader) finish(blobs [][]byte) error {
	inv := hosting.Inventory{Fallback: hosting.FallbackNone}
	for i, b := range blobs {
		ref := hosting.BlobRef{Digest: hosting.DigestOf(b), Size: int64(len(b))}
		inv.Files = append(inv.Files, hosting.File{
			Path: fmt.Sprintf("file-%05d", i), Digest: ref.Digest, Size: ref.Size,
			Forms: []hosting.Form{{Encoding: hosting.EncodingIdentity, Size: ref.Size, Parts: []hosting.BlobRef{ref}}},
		})
	}
	_, err := u.job.Finish(context.Background(), hosting.Finish{Inventory: &inv})
	return err
}

// attack tries for each of some blobs what its upload was not signed for, brings it, and tries
// again. What is published then are the right bytes.
func (u *uploader) attack(c *C) {
	c.Helper()
	blobs := make([][]byte, c.Size)
	for i := range blobs {
		size := 2 + c.Rand.IntN(64<<10)
		if i%50 == 0 {
			size = hosting.MaxBlob
		}
		blobs[i] = make([]byte, size)
		for j := range blobs[i] {
			blobs[i][j] = byte(c.Rand.Uint32())
		}
	}
	refused, taken, cut := map[int]int{}, 0, 0
	send := func(up hosting.BlobUpload, body []byte) int {
		st, err := objecttest.Send(context.Background(), object.Upload{URL: up.URL, Headers: up.Headers}, body)
		if err != nil {
			c.Fatal(err)
		}
		return st
	}
	refuses := func(what string, up hosting.BlobUpload, body []byte) {
		c.Helper()
		st := send(up, body)
		if st/100 == 4 || st == objecttest.Broken {
			refused[st]++
			return
		}
		c.Errorf("%s: status %d", what, st)
	}
	for i, up := range u.missing(blobs...) {
		b := blobs[i]
		if i == len(blobs)-1 { // the control of Finish, which misses this one
			if err := u.finish(blobs); !hosting.Is(err, hosting.CodeIncomplete) || !strings.Contains(err.Error(), up.Digest.String()) {
				c.Errorf("control believes in a blob that was never uploaded: %v", err)
			}
		}
		wrong := bytes.Clone(b)
		wrong[c.Rand.IntN(len(b))] ^= byte(1 + c.Rand.IntN(255))
		refuses("one wrong byte", up, wrong)
		refuses("one byte longer", up, append(bytes.Clone(b), 0))
		refuses("one byte shorter", up, b[:len(b)-1])
		refuses("another blob", up, blobs[(i+1)%len(blobs)])
		if st := send(up, b); st != http.StatusOK {
			c.Fatalf("control: the right bytes: status %d", st)
		}
		taken++
		switch st := send(up, b); st {
		case http.StatusPreconditionFailed:
		case objecttest.Broken: // the service says so before it has read a large body
			cut++
		default:
			c.Errorf("again: status %d", st)
		}
		refuses("one wrong byte over it", up, wrong)
	}
	if err := u.finish(blobs); err != nil {
		c.Fatal(err)
	}
	for i, b := range blobs {
		if got := u.s.Get(fmt.Sprintf("%s/file-%05d", u.s.Site(u.slug), i)); got.resp.StatusCode != 200 || got.Body != string(b) {
			c.Fatalf("file %d: status %d, %d bytes", i, got.resp.StatusCode, len(got.Body))
		}
	}
	n := 0
	for _, k := range refused {
		n += k
	}
	c.Figure("real store: %d right uploads stored, each refused when it came again (%d by the end of the connection, the others with 412); %d with wrong bytes or a wrong length, each refused (%d by the end of the connection)",
		taken, cut, n, refused[objecttest.Broken])
}

// refusedByControl tries the same where uploads come to control.
func (u *uploader) refusedByControl() {
	t := u.s.t
	t.Helper()
	b := []byte("the right bytes")
	up := u.missing(b)[0]
	if up.URL != "" {
		t.Fatalf("a lenient store is presigned: %v", up)
	}
	for name, wrong := range map[string]string{"one wrong byte": "the right bytez", "longer": "the right bytes.", "shorter": "the right byte"} {
		if err := u.job.PutBlob(context.Background(), up, []byte(wrong)); !hosting.Is(err, hosting.CodeMismatch) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := u.finish([][]byte{b}); !hosting.Is(err, hosting.CodeIncomplete) {
		t.Errorf("control believes in a blob that was never uploaded: %v", err)
	}
	for range 2 { // again changes nothing
		if err := u.job.PutBlob(context.Background(), up, b); err != nil {
			t.Errorf("control: %v", err)
		}
	}
	if err := u.finish([][]byte{b}); err != nil {
		t.Error(err)
	}
	u.s.Get(u.s.Site(u.slug)+"/file-00000").Is(200, string(b))
}
