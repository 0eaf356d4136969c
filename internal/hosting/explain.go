package hosting

// Explanation says how an edge answers a GET of a URL, and from what. Fields that a step did
// not come to are empty.
type Explanation struct {
	URL    string `json:"url" doc:"The address that was asked about"`
	Status int    `json:"status" doc:"Status of the answer"`
	// Why tells the steps in plain sentences, in their order.
	Why []string `json:"why" doc:"What was looked at, step by step"`

	Host       string       `json:"host,omitempty" doc:"The host in its one spelling"`
	Site       string       `json:"site,omitempty" doc:"Name of the site"`
	Project    ProjectID    `json:"project,omitempty" doc:"Whose site it is"`
	Pointer    string       `json:"pointer,omitempty" doc:"Name under which the project shows a deployment here: production, b/<branch>, d/<label>"`
	Deployment DeploymentID `json:"deployment,omitempty" doc:"The deployment that is shown"`
	Manifest   string       `json:"manifest,omitempty" doc:"SHA-256 of the deployment's list of files"`

	Path     string `json:"path,omitempty" doc:"The path in its one spelling"`
	File     string `json:"file,omitempty" doc:"The deployment's file that answers"`
	Location string `json:"location,omitempty" doc:"Where the answer leads to instead"`
	Encoding string `json:"encoding,omitempty" doc:"Form of the file that is sent: identity, br, zstd or gzip"`
	Size     int64  `json:"size,omitempty" doc:"Bytes of that form, where it is stored"`
	ETag     string `json:"etag,omitempty" doc:"Validator of that form"`
	Caching  string `json:"caching,omitempty" doc:"Value of Cache-Control"`
	Layer    string `json:"layer,omitempty" doc:"The cache that has the bytes now: memory, disk, or store for none"`
}
