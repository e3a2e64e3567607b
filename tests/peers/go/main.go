// Verifies a ledger with Go's sumdb packages, which nobody here wrote: the checkpoint's signature with `note`, and with
// `tlog` the root over the entries, every tile, and a proof that `jinku-ledger proof` gave.
//
//	peers ARCHIVE VKEY [PROOF]
//
// It prints the size and how many tiles it compared, or ends with 1.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8
const width = 1 << height

// All hashes of the tree, in the order in which `tlog` numbers them: computed here, so nothing in a file is believed.
type hashes []tlog.Hash

func (all hashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	found := make([]tlog.Hash, 0, len(indexes))
	for _, index := range indexes {
		if index >= int64(len(all)) {
			return nil, fmt.Errorf("no hash %d", index)
		}
		found = append(found, all[index])
	}
	return found, nil
}

type checkpoint struct {
	size int64
	root tlog.Hash
}

func main() {
	if len(os.Args) < 3 {
		fail("usage: peers ARCHIVE VKEY [PROOF]")
	}
	archive, key := os.Args[1], os.Args[2]
	verifier, err := note.NewVerifier(key)
	check(err)
	tree := open(read(archive, "checkpoint"), verifier)
	entries := bundles(archive, tree.size)
	var stored hashes
	for n, entry := range entries {
		more, err := tlog.StoredHashes(int64(n), entry, stored)
		check(err)
		stored = append(stored, more...)
	}
	root, err := tlog.TreeHash(tree.size, stored)
	check(err)
	if root != tree.root {
		fail("the entries have another root than is signed")
	}
	tiles := 0
	for _, tile := range tilesOf(tree.size) {
		expected, err := tlog.ReadTileData(tile, stored)
		check(err)
		path := fmt.Sprintf("tile/%d/%s", tile.L, numbered(tile.N, tile.W))
		if !bytes.Equal(expected, read(archive, path)) {
			fail(path + " has other hashes than the entries")
		}
		tiles++
	}
	if len(os.Args) > 3 {
		proven(read(os.Args[3], ""), verifier, entries)
	}
	fmt.Println(tree.size, tiles)
}

func open(text []byte, verifier note.Verifier) checkpoint {
	opened, err := note.Open(text, note.VerifierList(verifier))
	check(err)
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() || lines[3] != "" {
		fail("a checkpoint has three lines, and the key's name in the first")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err)
	root, err := tlog.ParseHash(lines[2])
	check(err)
	return checkpoint{size, root}
}

// The tiles of a tree: full ones, and at the right edge of each level one that is not. (`tlog.NewTiles` has all narrower
// ones too.)
func tilesOf(size int64) []tlog.Tile {
	var tiles []tlog.Tile
	for level := 0; size>>(height*level) > 0; level++ {
		count := size >> (height * level)
		for n := int64(0); n*width < count; n++ {
			w := count - n*width
			if w > width {
				w = width
			}
			tiles = append(tiles, tlog.Tile{H: height, L: level, N: n, W: int(w)})
		}
	}
	return tiles
}

// The entries of all bundles: each behind its length in two bytes.
func bundles(archive string, size int64) [][]byte {
	var entries [][]byte
	for n := int64(0); int64(len(entries)) < size; n++ {
		count := size - int64(len(entries))
		if count > width {
			count = width
		}
		rest := read(archive, "tile/entries/"+numbered(n, int(count)))
		for ; count > 0; count-- {
			if len(rest) < 2 {
				fail("a bundle is cut short")
			}
			length := int(binary.BigEndian.Uint16(rest)) + 2
			if len(rest) < length {
				fail("a bundle is cut short")
			}
			entries = append(entries, rest[2:length])
			rest = rest[length:]
		}
		if len(rest) > 0 {
			fail("a bundle has bytes after its last entry")
		}
	}
	return entries
}

// C2SP tlog-proof: header, `extra`, `index`, the hashes, an empty line, the checkpoint.
func proven(proof []byte, verifier note.Verifier, entries [][]byte) {
	head, signed, found := strings.Cut(string(proof), "\n\n")
	lines := strings.Split(head, "\n")
	if !found || lines[0] != "c2sp.org/tlog-proof@v1" {
		fail("no tlog-proof")
	}
	lines = lines[1:]
	if strings.HasPrefix(lines[0], "extra ") {
		lines = lines[1:]
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[0], "index "), 10, 64)
	check(err)
	var path tlog.RecordProof
	for _, line := range lines[1:] {
		hash, err := base64.StdEncoding.DecodeString(line)
		check(err)
		path = append(path, tlog.Hash(*(*[32]byte)(hash)))
	}
	tree := open([]byte(signed), verifier)
	check(tlog.CheckRecord(path, tree.size, tree.root, index, tlog.RecordHash(entries[index])))
}

// A tile's number in groups of three digits, and its width where it is not full.
func numbered(n int64, w int) string {
	name := fmt.Sprintf("%03d", n%1000)
	for n /= 1000; n > 0; n /= 1000 {
		name = fmt.Sprintf("x%03d/%s", n%1000, name)
	}
	if w < width {
		name += fmt.Sprintf(".p/%d", w)
	}
	return name
}

func read(dir, path string) []byte {
	bytes, err := os.ReadFile(filepath.Join(dir, path))
	check(err)
	return bytes
}

func check(err error) {
	if err != nil {
		fail(err.Error())
	}
}

func fail(why string) {
	fmt.Fprintln(os.Stderr, why)
	os.Exit(1)
}
