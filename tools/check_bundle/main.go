// Command check_bundle checks an audit bundle with tools that Luoshu did not write: the tree and the log's signature with
// golang.org/x/mod/sumdb (tlog, note), cosignatures with github.com/transparency-dev/formats.
//
// It prints the number of entries and the names of those who signed; any difference ends it with exit code 5.
package main

import (
	"archive/zip"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	f_note "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: check_bundle BUNDLE")
		os.Exit(2)
	}
	said, err := check(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "NOT what was signed:", err)
		os.Exit(5)
	}
	fmt.Println(said)
}

// members are the files of a bundle; used: those that were read, and so checked.
type members struct {
	files map[string]*zip.File
	used  map[string]bool
}

func (m members) read(name string) ([]byte, error) {
	file, found := m.files[name]
	if !found {
		return nil, fmt.Errorf("%s is missing", name)
	}
	m.used[name] = true
	opened, err := file.Open()
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	return io.ReadAll(opened)
}

func check(path string) (string, error) {
	archive, err := zip.OpenReader(path)
	if err != nil {
		return "", err
	}
	defer archive.Close()
	all := members{map[string]*zip.File{}, map[string]bool{"README.txt": true}}
	for _, file := range archive.File {
		if all.files[file.Name] != nil {
			return "", fmt.Errorf("%s stands in it twice", file.Name)
		}
		all.files[file.Name] = file
	}
	tree, text, signers, err := head(all)
	if err != nil {
		return "", err
	}
	count, err := entries(all, tree, text)
	if err != nil {
		return "", err
	}
	for name := range all.files {
		if !all.used[name] {
			return "", fmt.Errorf("nothing that was signed speaks for its file %q", name)
		}
	}
	return fmt.Sprintf("%d of %d entries; signed by %s", count, tree.N, strings.Join(signers, ", ")), nil
}

// head opens the checkpoint with the keys of the policy.
func head(all members) (tlog.Tree, string, []string, error) {
	var tree tlog.Tree
	policy, err := all.read("policy")
	if err != nil {
		return tree, "", nil, err
	}
	verifiers, log, err := keys(string(policy))
	if err != nil {
		return tree, "", nil, err
	}
	checkpoint, err := all.read("checkpoint")
	if err != nil {
		return tree, "", nil, err
	}
	opened, err := note.Open(checkpoint, note.VerifierList(verifiers...))
	if err != nil {
		return tree, "", nil, err
	}
	var signers []string
	for _, signature := range opened.Sigs {
		signers = append(signers, signature.Name)
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 || len(signers) == 0 || signers[0] != log || lines[0] != log {
		return tree, "", nil, fmt.Errorf("the checkpoint is not signed by %s", log)
	}
	tree.N, err = strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tree, "", nil, err
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return tree, "", nil, fmt.Errorf("no root hash")
	}
	copy(tree.Hash[:], root)
	return tree, string(checkpoint), signers, nil
}

func keys(policy string) ([]note.Verifier, string, error) {
	var verifiers []note.Verifier
	log := ""
	for _, line := range strings.Split(policy, "\n") {
		words := strings.Fields(line)
		var verifier note.Verifier
		var err error
		switch {
		case len(words) > 1 && words[0] == "log":
			verifier, err = note.NewVerifier(words[1])
			if err == nil {
				log = verifier.Name()
			}
		case len(words) > 2 && words[0] == "witness":
			verifier, err = f_note.NewVerifierForCosignatureV1(words[2])
		default:
			continue
		}
		if err != nil {
			return nil, "", err
		}
		verifiers = append(verifiers, verifier)
	}
	return verifiers, log, nil
}

func entries(all members, tree tlog.Tree, checkpoint string) (int64, error) {
	for name := range all.files {
		if strings.HasPrefix(name, "tile/") {
			return tree.N, whole(all, tree)
		}
	}
	count := int64(0)
	for name := range all.files {
		if strings.HasPrefix(name, "entry/") {
			index, err := strconv.ParseInt(name[len("entry/"):], 10, 64)
			if err != nil {
				return 0, err
			}
			if err := one(all, tree, index, checkpoint); err != nil {
				return 0, fmt.Errorf("entry %d: %w", index, err)
			}
			count++
		}
	}
	return count, nil
}

// whole recomputes the root from every entry.
func whole(all members, tree tlog.Tree) error {
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(indexes))
		for at, index := range indexes {
			hashes[at] = stored[index]
		}
		return hashes, nil
	})
	for start := int64(0); start < tree.N; start += 256 {
		width := int(min(256, tree.N-start))
		bundle, err := all.read(tlogPath("entries", start/256, width))
		if err != nil {
			return fmt.Errorf("entry %d: %w", start, err)
		}
		beside, err := all.read(tlogPath("0", start/256, width))
		if err != nil || len(beside) != width*tlog.HashSize {
			return fmt.Errorf("entry %d: its hashes are missing", start)
		}
		for place := int64(0); place < int64(width); place++ {
			if len(bundle) < 2 || len(bundle) < 2+int(binary.BigEndian.Uint16(bundle)) {
				return fmt.Errorf("entry %d is missing", start+place)
			}
			end := 2 + int(binary.BigEndian.Uint16(bundle))
			hashes, err := tlog.StoredHashes(start+place, bundle[2:end], reader)
			if err != nil {
				return err
			}
			if tlog.Hash(beside[place*tlog.HashSize:][:tlog.HashSize]) != hashes[0] {
				return fmt.Errorf("entry %d: the hash beside it is not that of the entry", start+place)
			}
			stored = append(stored, hashes...)
			bundle = bundle[end:]
		}
		if len(bundle) > 0 {
			return fmt.Errorf("entry %d: more is there than was signed", start+int64(width))
		}
	}
	root, err := tlog.TreeHash(tree.N, reader)
	if err != nil {
		return err
	}
	if root != tree.Hash {
		return fmt.Errorf("the entries do not make the signed root")
	}
	return nil
}

func tlogPath(kind string, index int64, width int) string {
	elements := fmt.Sprintf("%03d", index%1000)
	for index >= 1000 {
		index /= 1000
		elements = fmt.Sprintf("x%03d/%s", index%1000, elements)
	}
	if width < 256 {
		elements = fmt.Sprintf("%s.p/%d", elements, width)
	}
	return "tile/" + kind + "/" + elements
}

// one follows an entry's proof to the root.
func one(all members, tree tlog.Tree, index int64, checkpoint string) error {
	entry, err := all.read(fmt.Sprintf("entry/%d", index))
	if err != nil {
		return err
	}
	text, err := all.read(fmt.Sprintf("proof/%d", index))
	if err != nil {
		return err
	}
	top, rest, _ := strings.Cut(string(text), "\n\n")
	lines := strings.Split(top, "\n")
	if len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" || lines[1] != fmt.Sprintf("index %d", index) || rest != checkpoint {
		return fmt.Errorf("its proof is another's")
	}
	var proof tlog.RecordProof
	for _, line := range lines[2:] {
		hash, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(hash) != tlog.HashSize {
			return fmt.Errorf("its proof has a hash that is none")
		}
		proof = append(proof, tlog.Hash(hash))
	}
	return tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(entry))
}
