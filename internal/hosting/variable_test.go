package hosting

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCheckVariableName_RefusesWhatABuildOwns(t *testing.T) {
	for _, name := range []string{"A", "_", "API_KEY", "npm_config_x", "CI", "PATHS", "GITHUB_TOKEN", "FAIRWAY", strings.Repeat("a", 128)} {
		if err := CheckVariableName(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{
		"", "1A", "A-B", "A B", "A=B", "Ä", "A\n", "A\x00", strings.Repeat("a", 129),
		"PATH", "HOME", "TMPDIR", "PWD", "SHELL", "USER", "LD_PRELOAD", "LD_LIBRARY_PATH", "FAIRWAY_TOKEN", "FAIRWAY_", "GIT_SSH_COMMAND",
	} {
		if err := CheckVariableName(name); !Is(err, CodeInvalid) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestCheckVariableValue_TellsNothingOfTheValue(t *testing.T) {
	for _, v := range []string{"", "x", "line\nline\r\n\t\x1b[0m", "ü", strings.Repeat("x", MaxVariableValue)} {
		if err := CheckVariableValue(v); err != nil {
			t.Errorf("%.10q: %v", v, err)
		}
	}
	for v, code := range map[string]Code{
		"hunter2\x00": CodeInvalid, "hunter2\xff": CodeInvalid, "hunter2" + strings.Repeat("x", MaxVariableValue): CodeTooLarge,
	} {
		if err := CheckVariableValue(v); !Is(err, code) || strings.Contains(err.Error(), "hunter") {
			t.Errorf("%.10q: %v", v, err)
		}
	}
}

func FuzzCheckVariableName(f *testing.F) {
	for _, s := range []string{"A", "PATH", "GIT_DIR", "a b", "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		err := CheckVariableName(name)
		if err != nil && (!Is(err, CodeInvalid) || !utf8.ValidString(err.Error())) {
			t.Fatalf("%q: %v", name, err)
		}
		if err == nil && (name == "" || len(name) > 128 || strings.ContainsAny(name, "=\x00\n ") || reservedVariables[name]) {
			t.Fatalf("%q was taken", name)
		}
	})
}
