// Callers that each wait for their answer, as many at once as -callers says, for -seconds; prints one line of JSON.
//
// gRPC: -method /package.Service/Method, the request's bytes from -request (a file). With -id N every request gets a text
// field N of its own, appended to the bytes: protobuf merges it. HTTP: -url, the request is the body of a POST; with
// -get it is a GET. With -watch the method answers with a stream: every caller takes what comes until each has as many
// messages as a number says that is read from standard input, half a minute at most; for each, how many, and when the last came.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protowire"
)

// raw hands bytes through: the load is the same for every contestant, whatever its messages are called.
type raw struct{}

func (raw) Marshal(v any) ([]byte, error)      { return *v.(*[]byte), nil }
func (raw) Unmarshal(data []byte, v any) error { *v.(*[]byte) = data; return nil }
func (raw) Name() string                       { return "proto" }

type pairs []string

func (p *pairs) String() string     { return strings.Join(*p, ",") }
func (p *pairs) Set(v string) error { *p = append(*p, v); return nil }

type ask func(context.Context, string) error

type result struct {
	Answered  int     `json:"answered"`
	Refused   int     `json:"refused"`
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"per_second"`
	P50       float64 `json:"p50_ms"`
	P90       float64 `json:"p90_ms"`
	P99       float64 `json:"p99_ms"`
	First     string  `json:"first_refusal,omitempty"`
}

const perConnection = 50 // calls that share a connection

func connected(address string, callers int) []*grpc.ClientConn {
	connections, addresses := []*grpc.ClientConn{}, strings.Split(address, ",")
	for i := range max(len(addresses), (callers+perConnection-1)/perConnection) {
		c, err := grpc.NewClient(addresses[i%len(addresses)], grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{})))
		if err != nil {
			log.Fatal(err)
		}
		connections = append(connections, c)
	}
	return connections
}

func overGRPC(address, method string, body []byte, id int, said []string, callers int) []ask {
	connections := connected(address, callers)
	asks := []ask{}
	for i := range callers {
		connection := connections[i%len(connections)]
		asks = append(asks, func(ctx context.Context, name string) error {
			request := body
			if id > 0 {
				request = protowire.AppendTag(slices.Clip(slices.Clone(body)), protowire.Number(id), protowire.BytesType)
				request = protowire.AppendString(request, name)
			}
			var answer []byte
			return connection.Invoke(metadata.AppendToOutgoingContext(ctx, said...), method, &request, &answer)
		})
	}
	return asks
}

type seen struct {
	Count atomic.Int64
	Last  atomic.Int64 // nanoseconds since 1970
}

func watch(address, method string, body []byte, said []string, callers int) [][2]float64 {
	connections, all := connected(address, callers), make([]seen, callers)
	for i := range all {
		go func() {
			ctx := metadata.AppendToOutgoingContext(context.Background(), said...)
			stream, err := connections[i%len(connections)].NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, method)
			if err != nil {
				log.Fatal(err)
			}
			if err = errors.Join(stream.SendMsg(&body), stream.CloseSend()); err != nil {
				log.Fatal(err)
			}
			for message := []byte{}; stream.RecvMsg(&message) == nil; all[i].Count.Add(1) {
				all[i].Last.Store(time.Now().UnixNano())
			}
		}()
	}
	var expected int64
	if _, err := fmt.Scan(&expected); err != nil {
		log.Fatal(err)
	}
	late := func(one *seen) bool { return one.Count.Load() < expected }
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		waits := false
		for i := range all {
			waits = waits || late(&all[i])
		}
		if !waits {
			break
		}
	}
	found := [][2]float64{}
	for i := range all {
		found = append(found, [2]float64{float64(all[i].Count.Load()), float64(all[i].Last.Load()) / 1e9})
	}
	return found
}

func overHTTP(url string, body []byte, get bool, said []string, callers int) []ask {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callers}}
	one := func(ctx context.Context, _ string) error {
		how, what := http.MethodPost, io.Reader(bytes.NewReader(body))
		if get {
			how, what = http.MethodGet, nil
		}
		request, err := http.NewRequestWithContext(ctx, how, url, what)
		if err != nil {
			return err
		}
		request.Header.Set("Content-Type", "application/json")
		for i := 0; i < len(said); i += 2 {
			request.Header.Set(said[i], said[i+1])
		}
		answer, err := client.Do(request)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err == nil && answer.StatusCode >= 300 {
			err = fmt.Errorf("%d %s", answer.StatusCode, text)
		}
		return err
	}
	return slices.Repeat([]ask{one}, callers)
}

func run(asks []ask, seconds float64) result {
	taken, refusals := make([][]time.Duration, len(asks)), make([][]string, len(asks))
	began := time.Now()
	end := began.Add(time.Duration(seconds * float64(time.Second)))
	var group sync.WaitGroup
	for i, one := range asks {
		group.Go(func() {
			for n := 0; time.Now().Before(end); n++ {
				name := fmt.Sprintf("b%x-%x-%x", began.UnixNano(), i, n)
				ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
				asked := time.Now()
				err := one(ctx, name)
				cancel()
				if err != nil {
					refusals[i] = append(refusals[i], err.Error())
					continue
				}
				taken[i] = append(taken[i], time.Since(asked))
			}
		})
	}
	group.Wait()
	return summary(slices.Concat(taken...), slices.Concat(refusals...), time.Since(began).Seconds())
}

func summary(all []time.Duration, refused []string, seconds float64) result {
	slices.Sort(all)
	found := result{Answered: len(all), Refused: len(refused), Seconds: seconds, PerSecond: float64(len(all)) / seconds}
	at := func(share float64) float64 {
		if len(all) == 0 {
			return 0
		}
		return float64(all[min(len(all)-1, int(share*float64(len(all))))].Microseconds()) / 1000
	}
	found.P50, found.P90, found.P99 = at(0.5), at(0.9), at(0.99)
	if len(refused) > 0 {
		found.First = refused[0]
	}
	return found
}

func main() {
	var said pairs
	address, method := flag.String("address", "", "host:port; of several replicas, with commas"), flag.String("method", "", "/package.Service/Method")
	url, get := flag.String("url", "", "HTTP address"), flag.Bool("get", false, "GET, not POST")
	file, id := flag.String("request", "", "file with the request's bytes"), flag.Int("id", 0, "field for an id of its own")
	callers, seconds := flag.Int("callers", 32, ""), flag.Float64("seconds", 2, "")
	watches := flag.Bool("watch", false, "the method answers with a stream")
	flag.Var(&said, "say", "key=value of metadata or header; may be repeated")
	flag.Parse()
	var body []byte
	if *file != "" {
		var err error
		if body, err = os.ReadFile(*file); err != nil {
			log.Fatal(err)
		}
	}
	words := []string{}
	for _, pair := range said {
		key, value, _ := strings.Cut(pair, "=")
		words = append(words, key, value)
	}
	if *watches {
		if err := json.NewEncoder(os.Stdout).Encode(watch(*address, *method, body, words, *callers)); err != nil {
			log.Fatal(err)
		}
		return
	}
	var asks []ask
	if *url != "" {
		asks = overHTTP(*url, body, *get, words, *callers)
	} else {
		asks = overGRPC(*address, *method, body, *id, words, *callers)
	}
	if err := json.NewEncoder(os.Stdout).Encode(run(asks, *seconds)); err != nil {
		log.Fatal(err)
	}
}
