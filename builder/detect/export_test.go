package detect

import "flag"

// Update is the flag of all golden files of the package.
var Update = flag.Bool("update", false, "write the plans of the fixtures and examples, and the pages made from the table")
