package blob

import (
	"context"
	"fmt"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// The kinds of objects, the first segment of their keys.
const (
	blobs     = "blobs"
	manifests = "manifests"
	sources   = "sources"
)

// SourceKey is the object key of a deployment's uploaded archive. Like all keys of this
// package it is empty, which every object.Store refuses, where an id is none: an id with a
// slash in it would reach into another project.
func SourceKey(project hosting.ProjectID, deployment hosting.DeploymentID) string {
	if !hosting.ValidID(string(deployment)) {
		return ""
	}
	return projectKey(sources, project, string(deployment))
}

func contentKey(kind string, project hosting.ProjectID, digest hosting.Digest) string {
	return projectKey(kind, project, digest.String())
}

func projectKey(kind string, project hosting.ProjectID, name string) string {
	if !hosting.ValidID(string(project)) {
		return ""
	}
	return kind + "/" + string(project) + "/" + name
}

// DeleteProject removes a project's blobs, manifests and sources. When it fails or is cut
// short, some are left and it is to be repeated.
func (s *Store) DeleteProject(ctx context.Context, project hosting.ProjectID) error {
	if !hosting.ValidID(string(project)) {
		return hosting.Errorf(hosting.CodeInvalid, "%q is no project's id", project)
	}
	for _, kind := range []string{blobs, manifests, sources} {
		if err := s.deleteAll(ctx, kind+"/"+string(project)+"/"); err != nil {
			return fmt.Errorf("delete %s of %s: %w", kind, project, err)
		}
	}
	return nil
}

// deleteAll goes forward through the keys, so an object that comes back is left to the next
// call and does not keep this one going.
func (s *Store) deleteAll(ctx context.Context, prefix string) error {
	const page = 1000
	after := ""
	for {
		infos, err := s.objects.List(ctx, prefix, after, page)
		if err != nil || len(infos) == 0 {
			return err
		}
		for _, info := range infos {
			if err := s.objects.Delete(ctx, info.Key); err != nil {
				return err
			}
		}
		after = infos[len(infos)-1].Key
	}
}
