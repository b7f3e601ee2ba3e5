// Command tessera_posix appends entries to a Tessera log on files, as fast as so many callers can, and tells the rate.
package main

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
)

func main() {
	entries := flag.Int("entries", 20000, "entries to append")
	size := flag.Int("bytes", 400, "bytes of an entry")
	callers := flag.Int("callers", 512, "callers that each wait for their answer")
	batch := flag.Uint("batch", 500, "entries of a batch")
	flag.Parse()
	if err := run(*entries, *size, *callers, *batch); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(entries, size, callers int, batch uint) error {
	folder, err := os.MkdirTemp("", "tessera-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	ctx := context.Background()
	key, _, err := note.GenerateKey(rand.Reader, "bench.example/log")
	if err != nil {
		return err
	}
	signer, err := note.NewSigner(key)
	if err != nil {
		return err
	}
	driver, err := posix.New(ctx, posix.Config{Path: folder})
	if err != nil {
		return err
	}
	options := tessera.NewAppendOptions().WithCheckpointSigner(signer).
		WithCheckpointInterval(100*time.Millisecond).WithBatching(batch, 50*time.Millisecond)
	appender, shutdown, _, err := tessera.NewAppender(ctx, driver, options)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := feed(ctx, appender, entries, size, callers); err != nil {
		return err
	}
	fmt.Printf("%.0f\n", float64(entries)/time.Since(began).Seconds())
	return shutdown(ctx)
}

func feed(ctx context.Context, appender *tessera.Appender, entries, size, callers int) error {
	work, failed := make(chan int), make(chan error, callers)
	var all sync.WaitGroup
	for range callers {
		all.Add(1)
		go func() {
			defer all.Done()
			for number := range work {
				data := make([]byte, size)
				copy(data, fmt.Sprintf("entry %d", number))
				if _, err := appender.Add(ctx, tessera.NewEntry(data))(); err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	for number := range entries {
		select {
		case work <- number:
		case err := <-failed:
			close(work)
			return err
		}
	}
	close(work)
	all.Wait()
	return nil
}
