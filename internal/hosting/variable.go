package hosting

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// MaxVariableValue is the longest value of an environment variable, in bytes.
const MaxVariableValue = 64 << 10

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)

// reservedVariables are set by Fairway for each build, or would change which programs it runs.
var reservedVariables = map[string]bool{
	"PATH": true, "HOME": true, "TMPDIR": true, "PWD": true, "SHELL": true, "USER": true,
	"LD_PRELOAD": true, "LD_LIBRARY_PATH": true,
}

// CheckVariableName says whether name can be an environment variable of a project:
// [A-Za-z_][A-Za-z0-9_]{0,127}, and none that a build gets from Fairway or that git obeys.
func CheckVariableName(name string) error {
	switch {
	case !variableName.MatchString(name):
		return Errorf(CodeInvalid, "%q cannot be a variable's name", clip(name, 80)).
			WithHint("use 1 to 128 letters, digits and underscores; begin with none of the digits")
	case reservedVariables[name] || strings.HasPrefix(name, "FAIRWAY_") || strings.HasPrefix(name, "GIT_"):
		return Errorf(CodeInvalid, "the variable %s is reserved", name).WithHint("choose another name")
	}
	return nil
}

// CheckVariableValue says whether v can be a variable's value: UTF-8, since it travels as JSON,
// without NUL, since no environment can hold one, of at most MaxVariableValue bytes. The error
// holds nothing of the value.
func CheckVariableValue(v string) error {
	switch {
	case len(v) > MaxVariableValue:
		return Errorf(CodeTooLarge, "the value has %d bytes, the limit is %d", len(v), MaxVariableValue)
	case strings.ContainsRune(v, 0):
		return Errorf(CodeInvalid, "the value holds a NUL, which no environment can")
	case !utf8.ValidString(v):
		return Errorf(CodeInvalid, "the value is not UTF-8").WithHint("encode it, as base64 say")
	}
	return nil
}
