package builder

// maxEntries of a source: files, folders and links.
const maxEntries = 200_000
