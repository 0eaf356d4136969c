package blob

// WaitScanned returns once what an earlier process left on disk was looked through.
func (k *Cache) WaitScanned() { k.scans.Wait() }
