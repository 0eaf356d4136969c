package routes

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"os"
)

// bbolt trusts its file: a wrong page number leads it beyond the end of the file or round in
// circles, which no recover catches, and its own Check walks into the same. So the pages are
// read here first, by plain reads, before bbolt follows any of them. The layout is that of
// bbolt's file version 2; numbers are in the machine's byte order.
const (
	pageHeader   = 16 // id 8, flags 2, count 2, overflow 4
	pageElement  = 16 // branch: pos 4, ksize 4, id 8; leaf: flags 4, pos 4, ksize 4, vsize 4
	metaSize     = 64 // magic, version, page size, flags 4 each; root, sequence, freelist, high water, txid, sum 8 each
	metaMagic    = 0xED0CDAED
	metaVersion  = 2
	flagBranch   = 0x01
	flagLeaf     = 0x02
	flagFreelist = 0x10
	leafIsBucket = 0x01
	bucketHeader = 16 // root 8, sequence 8; a page follows if the root is 0
	manyFree     = 0xFFFF
)

var order = binary.NativeEndian

// pages walks the pages of one file.
type pages struct {
	file io.ReaderAt
	size uint64 // of a page
	high uint64 // all pages are below
	seen []bool
}

// pageRef is a page that is to be walked, and the keys it may have: from min up to, but not
// with, max. A nil max is no bound.
type pageRef struct {
	id       uint64
	min, max []byte
}

// checkPages says what is wrong with the structure of the bbolt file at path. The caller
// holds its lock.
func checkPages(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	m, err := newestMeta(f)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if have := uint64(info.Size()) / m.size; m.high > have {
		return fmt.Errorf("%w: it has %d pages of %d", errDamaged, have, m.high)
	}
	p := &pages{file: f, size: m.size, high: m.high, seen: make([]bool, m.high)}
	if err := p.tree(pageRef{id: m.root}); err != nil {
		return err
	}
	return p.freelist(m.freelist)
}

type boltMeta struct{ size, root, freelist, high, txid uint64 }

// newestMeta returns the meta page that bbolt will go by: of the two, the newer that is whole.
func newestMeta(f io.ReaderAt) (boltMeta, error) {
	size := uint64(os.Getpagesize())
	first, ok := readMeta(f, 0)
	if ok {
		size = first.size
	}
	second, ok2 := readMeta(f, size)
	switch {
	case !ok && !ok2:
		return boltMeta{}, fmt.Errorf("%w: neither of its meta pages is whole", errDamaged)
	case !ok, ok2 && second.txid > first.txid:
		return second, nil
	}
	return first, nil
}

func readMeta(f io.ReaderAt, offset uint64) (m boltMeta, ok bool) {
	b := make([]byte, pageHeader+metaSize)
	if _, err := f.ReadAt(b, int64(offset)); err != nil {
		return m, false
	}
	b = b[pageHeader:]
	hash := fnv.New64a()
	_, _ = hash.Write(b[:metaSize-8])
	if order.Uint32(b) != metaMagic || order.Uint32(b[4:]) != metaVersion || order.Uint64(b[metaSize-8:]) != hash.Sum64() {
		return m, false
	}
	m = boltMeta{size: uint64(order.Uint32(b[8:])), root: order.Uint64(b[16:]), freelist: order.Uint64(b[32:]), high: order.Uint64(b[40:]), txid: order.Uint64(b[48:])}
	return m, m.size >= 1024 && m.size <= 1<<20
}

// read returns a page with its overflow, and notes that it is in use.
func (p *pages) read(id uint64) ([]byte, error) {
	if id < 2 || id >= p.high {
		return nil, fmt.Errorf("%w: a page number %d of %d", errDamaged, id, p.high)
	}
	b := make([]byte, p.size)
	if _, err := p.file.ReadAt(b, int64(id*p.size)); err != nil {
		return nil, err
	}
	more := uint64(order.Uint32(b[12:]))
	if order.Uint64(b) != id || more >= p.high-id {
		return nil, fmt.Errorf("%w: page %d says it is %d with %d more", errDamaged, id, order.Uint64(b), more)
	}
	for i := id; i <= id+more; i++ {
		if p.seen[i] {
			return nil, fmt.Errorf("%w: page %d is used twice", errDamaged, i)
		}
		p.seen[i] = true
	}
	if more == 0 {
		return b, nil
	}
	b = make([]byte, (more+1)*p.size)
	_, err := p.file.ReadAt(b, int64(id*p.size))
	return b, err
}

// tree walks the pages of a bucket. It ends, since no page is read twice.
func (p *pages) tree(ref pageRef) error {
	b, err := p.read(ref.id)
	if err != nil {
		return err
	}
	return p.walk(b, ref)
}

func (p *pages) walk(b []byte, ref pageRef) error {
	flags, count := order.Uint16(b[8:]), int(order.Uint16(b[10:]))
	if (flags != flagBranch && flags != flagLeaf) || pageHeader+count*pageElement > len(b) || (flags == flagBranch && count == 0) {
		return fmt.Errorf("%w: page %d is of kind %#x with %d elements", errDamaged, ref.id, flags, count)
	}
	keys := make([][]byte, count)
	for i := range keys {
		key, ok := elementKey(b, flags, i)
		low := ref.min
		if i > 0 {
			low = keys[i-1]
		}
		c := bytes.Compare(low, key)
		if !ok || c > 0 || (c == 0 && i > 0) || (ref.max != nil && bytes.Compare(key, ref.max) >= 0) {
			return fmt.Errorf("%w: element %d of page %d", errDamaged, i, ref.id)
		}
		keys[i] = key
	}
	if flags == flagLeaf {
		return p.leaf(b, ref, count)
	}
	for i, key := range keys {
		child := pageRef{id: order.Uint64(b[pageHeader+i*pageElement+8:]), min: key, max: ref.max}
		if i+1 < count {
			child.max = keys[i+1]
		}
		if err := p.tree(child); err != nil {
			return err
		}
	}
	return nil
}

// elementKey returns an element's key; ok is false where key or value lie outside the page.
func elementKey(b []byte, flags uint16, i int) (key []byte, ok bool) {
	e := b[pageHeader+i*pageElement:]
	pos, ksize, vsize := order.Uint32(e), order.Uint32(e[4:]), uint32(0)
	if flags == flagLeaf {
		pos, ksize, vsize = order.Uint32(e[4:]), order.Uint32(e[8:]), order.Uint32(e[12:])
	}
	if uint64(pos)+uint64(ksize)+uint64(vsize) > uint64(len(e)) {
		return nil, false
	}
	return e[pos : pos+ksize], ksize > 0
}

// leaf walks the buckets that stand in a leaf.
func (p *pages) leaf(b []byte, ref pageRef, count int) error {
	for i := range count {
		e := b[pageHeader+i*pageElement:]
		switch order.Uint32(e) {
		case 0:
			continue
		case leafIsBucket:
		default:
			return fmt.Errorf("%w: element %d of page %d is of no kind", errDamaged, i, ref.id)
		}
		from := order.Uint32(e[4:]) + order.Uint32(e[8:])
		if err := p.bucket(e[from : from+order.Uint32(e[12:])]); err != nil {
			return err
		}
	}
	return nil
}

func (p *pages) bucket(value []byte) error {
	if len(value) < bucketHeader {
		return fmt.Errorf("%w: a bucket of %d bytes", errDamaged, len(value))
	}
	if root := order.Uint64(value); root != 0 {
		return p.tree(pageRef{id: root})
	}
	inline := value[bucketHeader:]
	if len(inline) < pageHeader || order.Uint16(inline[8:]) != flagLeaf {
		return fmt.Errorf("%w: a bucket without a page", errDamaged)
	}
	return p.walk(inline, pageRef{})
}

// freelist sees that no page is both free and in use: the next write would go over it.
func (p *pages) freelist(id uint64) error {
	b, err := p.read(id)
	if err != nil {
		return err
	}
	count, from := uint64(order.Uint16(b[10:])), uint64(pageHeader)
	if count == manyFree {
		count, from = order.Uint64(b[from:]), from+8
	}
	if order.Uint16(b[8:]) != flagFreelist || count > (uint64(len(b))-from)/8 {
		return fmt.Errorf("%w: its list of free pages has %d", errDamaged, count)
	}
	for i := range count {
		free := order.Uint64(b[from+i*8:])
		if free < 2 || free >= p.high || p.seen[free] {
			return fmt.Errorf("%w: page %d cannot be free", errDamaged, free)
		}
		p.seen[free] = true
	}
	return nil
}
