package manifest

import (
	"path"
	"strings"
)

const (
	typeUnknown = "application/octet-stream"
	typeJSON    = "application/json"
	utf8Suffix  = "; charset=utf-8"
)

// typesByExtension is our own table: the machine's would make the same site differ from one
// node to the next. Text is UTF-8, as practically all of it is.
var typesByExtension = map[string]string{
	"html": "text/html" + utf8Suffix, "htm": "text/html" + utf8Suffix,
	"xhtml": "application/xhtml+xml" + utf8Suffix,
	"css":   "text/css" + utf8Suffix,
	"js":    "text/javascript" + utf8Suffix, "mjs": "text/javascript" + utf8Suffix, "cjs": "text/javascript" + utf8Suffix,
	"json": typeJSON, "map": typeJSON, "geojson": "application/geo+json", "jsonld": "application/ld+json",
	"webmanifest": "application/manifest+json", "wasm": "application/wasm",
	"txt": "text/plain" + utf8Suffix, "md": "text/markdown" + utf8Suffix, "csv": "text/csv" + utf8Suffix,
	"vtt": "text/vtt" + utf8Suffix, "ics": "text/calendar" + utf8Suffix, "vcf": "text/vcard" + utf8Suffix,
	"xml": "application/xml" + utf8Suffix, "rss": "application/rss+xml" + utf8Suffix, "atom": "application/atom+xml" + utf8Suffix,
	"xsl": "application/xslt+xml" + utf8Suffix, "yaml": "application/yaml", "yml": "application/yaml",

	"svg": "image/svg+xml", "png": "image/png", "apng": "image/apng", "jpg": "image/jpeg", "jpeg": "image/jpeg",
	"gif": "image/gif", "webp": "image/webp", "avif": "image/avif", "ico": "image/x-icon", "bmp": "image/bmp",
	"tif": "image/tiff", "tiff": "image/tiff", "jxl": "image/jxl",

	"woff": "font/woff", "woff2": "font/woff2", "ttf": "font/ttf", "otf": "font/otf", "eot": "application/vnd.ms-fontobject",

	"mp4": "video/mp4", "m4v": "video/mp4", "webm": "video/webm", "ogv": "video/ogg", "mov": "video/quicktime",
	"m3u8": "application/vnd.apple.mpegurl", "ts": "video/mp2t",
	"mp3": "audio/mpeg", "m4a": "audio/mp4", "aac": "audio/aac", "ogg": "audio/ogg", "oga": "audio/ogg",
	"opus": "audio/ogg", "flac": "audio/flac", "wav": "audio/wav", "weba": "audio/webm",

	"pdf": "application/pdf", "epub": "application/epub+zip", "rtf": "application/rtf",
	"zip": "application/zip", "gz": "application/gzip", "tgz": "application/gzip", "bz2": "application/x-bzip2",
	"xz": "application/x-xz", "zst": "application/zstd", "tar": "application/x-tar", "7z": "application/x-7z-compressed",
	"glb": "model/gltf-binary", "gltf": "model/gltf+json",
}

// typesByName holds files that have a type but no extension.
var typesByName = map[string]string{
	"apple-app-site-association": typeJSON, // iOS reads universal links from nothing else
}

// typeOf returns the content type of a file by its name.
func typeOf(p string) string {
	name := path.Base(p)
	if t, ok := typesByName[name]; ok {
		return t
	}
	if t, ok := typesByExtension[strings.ToLower(strings.TrimPrefix(path.Ext(name), "."))]; ok {
		return t
	}
	return typeUnknown
}
