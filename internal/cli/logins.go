package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// logins are the Fairways that this user signed in to, by address. The file holds tokens, so
// that nobody else may read it.
type logins struct {
	Default string           `json:"default,omitempty"` // the one that is asked where nothing else is named
	At      map[string]login `json:"logins"`
}

type login struct {
	Token string `json:"token"`
	User  string `json:"user"`
	Team  string `json:"team"`
}

// loginsPath is below the user's folder for settings (XDG Base Directory Specification).
func (s *session) loginsPath() (string, error) {
	dir := s.env.Getenv("XDG_CONFIG_HOME")
	if !filepath.IsAbs(dir) { // the specification has relative ones ignored
		home := s.env.Getenv("HOME")
		if !filepath.IsAbs(home) {
			return "", errorf(ExitUsage, "there is no folder for settings").hint("set HOME or XDG_CONFIG_HOME")
		}
		dir = filepath.Join(home, ".config")
	}
	return filepath.Join(dir, "fairway", "logins.json"), nil
}

// logins reads the file; where there is none, or no place for one, nobody signed in.
func (s *session) logins() (logins, error) {
	known := logins{At: map[string]login{}}
	path, err := s.loginsPath()
	if err != nil {
		return known, nil
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return known, nil
	}
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		return known, errorf(ExitForbidden, "%s holds tokens, and other users can open it", path).hint("chmod 600 %s", path)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return known, errorf(ExitFailed, "cannot read where you signed in: %w", err)
	}
	if err := json.Unmarshal(b, &known); err != nil || known.At == nil {
		return known, errorf(ExitFailed, "%s is damaged", path).hint("delete it and sign in anew")
	}
	return known, nil
}

// keep writes the file whole, and puts it in the place of the old one.
func (s *session) keep(known logins) error {
	path, err := s.loginsPath()
	if err != nil {
		return err
	}
	b, err := json.MarshalIndent(known, "", "  ")
	if err != nil {
		return fmt.Errorf("write the logins: %w", err)
	}
	if err := replaceSecret(path, append(b, '\n')); err != nil {
		return errorf(ExitFailed, "cannot keep the login: %w", err)
	}
	return nil
}

// replaceSecret writes a file that its owner alone may open, in a folder of the same kind.
func replaceSecret(path string, content []byte) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o700); err != nil { // it may have been there
		return err
	}
	f, err := os.CreateTemp(dir, ".logins-*") // with mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
