package controlapi

import (
	"io"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/scale-mesh/fairway/internal/hosting"
)

func (a *API) registerJobStreams() {
	id := pathParam("id", "Identifier of the deployment")
	a.raw(rule{job: true}, huma.Operation{
		OperationID: "getSource", Method: http.MethodGet, Path: "/api/jobs/{id}/source", Tags: []string{"jobs"},
		Summary: "The archive that the deployment is made from", Description: "As it was uploaded; of a deployment from a repository there is none.", Parameters: []*huma.Param{id},
		Responses: answers("200", "A tar.gz", "application/gzip", &huma.Schema{Type: huma.TypeString, Format: "binary"}),
	}, a.getSource)
	a.raw(rule{job: true}, huma.Operation{
		OperationID: "putBlob", Method: http.MethodPut, Path: "/api/jobs/{id}/blobs/{digest}", Tags: []string{"jobs"},
		Summary: "Upload one of the missing blobs", Description: "At most 1 MiB, sent with its Content-Length; the bytes have to have the digest. May be repeated.",
		Parameters:  []*huma.Param{id, pathParam("digest", "SHA-256 of the blob, 64 lower-case hex digits")},
		RequestBody: binaryBody("application/octet-stream", "The blob"),
		Responses:   answers("204", "It is stored", "", nil),
	}, a.putBlob)
}

func (a *API) getSource(w http.ResponseWriter, r *http.Request) error {
	at, err := a.attempt(r)
	if err != nil {
		return err
	}
	source, size, err := at.OpenSource(r.Context())
	if err != nil {
		return err
	}
	defer source.Close() //nolint:errcheck // only read from
	w.Header().Set("Content-Type", "application/gzip")
	w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
	out := newPacedWriter(w, paceTime)
	defer out.done()
	if _, err = io.Copy(out, source); err != nil && r.Context().Err() != nil {
		panic(http.ErrAbortHandler) // whoever asked has gone, which is no fault of ours
	}
	return err
}

func (a *API) putBlob(w http.ResponseWriter, r *http.Request) error {
	at, err := a.attempt(r)
	if err != nil {
		return err
	}
	digest, err := hosting.ParseDigest(r.PathValue("digest"))
	if err != nil {
		return err
	}
	size, err := declaredLength(r)
	if err != nil {
		return err
	}
	if size > hosting.MaxBlob {
		return hosting.Errorf(hosting.CodeTooLarge, "a blob has at most %d bytes", hosting.MaxBlob).WithHint("split the file")
	}
	body := newPacedReader(w, r.Body)
	defer body.done()
	if err := at.PutBlob(r.Context(), digest, size, body); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
