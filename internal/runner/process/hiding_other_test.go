//go:build !linux

package process

// There is no thread here that could end before its process.
const headlessVar = "PROCESS_TEST_HEADLESS"

func headless() int { return 1 }
