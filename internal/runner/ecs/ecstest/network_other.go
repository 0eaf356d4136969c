//go:build !linux

package ecstest

import "errors"

// InNetwork does it in the own network alone: there are no others here.
func InNetwork(name string, do func() error) error {
	if name != "" {
		return errors.New("network namespaces need Linux")
	}
	return do()
}
