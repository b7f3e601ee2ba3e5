// A registry as a Go team would write it: gRPC, pgx, a record and its outbox row in one transaction.
//
// -commit request: BEGIN, two INSERTs, COMMIT, for each request. -commit trip: the same in one round trip.
// -commit group: what queued while the last commit was under way goes into one statement.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"luoshu.dev/bench/peers/peerpb"
)

const (
	insertRecord = `INSERT INTO record (id, title, kind, division, direction, unit_code, unit_name, abstract)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`
	insertOutbox = `INSERT INTO outbox (topic, key, payload) VALUES ('record.created', $1, $2)`
	insertGroup  = `WITH r AS (
			INSERT INTO record (id, title, kind, division, direction, unit_code, unit_name, abstract)
			SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[]))
		INSERT INTO outbox (topic, key, payload)
		SELECT 'record.created', k, p FROM unnest($1::uuid[], $9::bytea[]) AS t(k, p)`
	most = 128 // requests that one commit may carry
)

type row struct {
	id      uuid.UUID
	record  *peerpb.Record
	payload []byte
	done    chan error
}

type commit func(context.Context, *row) error

type service struct {
	peerpb.UnimplementedPeerServer
	save commit
}

func (s *service) Echo(_ context.Context, r *peerpb.CreateRequest) (*peerpb.Record, error) {
	return r.Platform, nil
}

func (s *service) Create(ctx context.Context, r *peerpb.CreateRequest) (*peerpb.Record, error) {
	if wrong := check(r); wrong != "" {
		return nil, status.Error(codes.InvalidArgument, wrong)
	}
	id := uuid.Must(uuid.NewV7())
	r.Platform.Name, r.Platform.Revision = "platforms/"+id.String(), 1
	payload, err := proto.Marshal(r.Platform)
	if err == nil {
		err = s.save(ctx, &row{id: id, record: r.Platform, payload: payload})
	}
	if err != nil {
		return nil, status.Error(codes.Unavailable, err.Error())
	}
	return r.Platform, nil
}

func values(w *row) []any {
	r := w.record
	return []any{w.id, r.Title, r.Kind, r.Division, r.Direction, r.SupportingUnitCode, r.SupportingUnitName, r.Abstract}
}

func eachRequest(pool *pgxpool.Pool) commit {
	return func(ctx context.Context, w *row) error {
		return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, insertRecord, values(w)...); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, insertOutbox, w.id, w.payload)
			return err
		})
	}
}

// A pgx batch is one implicit transaction and one round trip.
func oneTrip(pool *pgxpool.Pool) commit {
	return func(ctx context.Context, w *row) error {
		batch := &pgx.Batch{}
		batch.Queue(insertRecord, values(w)...)
		batch.Queue(insertOutbox, w.id, w.payload)
		return pool.SendBatch(ctx, batch).Close()
	}
}

func grouped(pool *pgxpool.Pool) commit {
	queue := make(chan *row, 4096)
	go func() {
		for first := range queue {
			group := gather(first, queue)
			err := saveGroup(pool, group)
			for _, w := range group {
				w.done <- err
			}
		}
	}()
	return func(_ context.Context, w *row) error {
		w.done = make(chan error, 1)
		queue <- w
		return <-w.done
	}
}

func gather(first *row, queue <-chan *row) []*row {
	group := []*row{first}
	for len(group) < most {
		select {
		case w := <-queue:
			group = append(group, w)
		default:
			return group
		}
	}
	return group
}

func saveGroup(pool *pgxpool.Pool, group []*row) error {
	var ids []uuid.UUID
	var payloads [][]byte
	columns := make([][]string, 7)
	for _, w := range group {
		r := w.record
		ids, payloads = append(ids, w.id), append(payloads, w.payload)
		for i, text := range []string{r.Title, r.Kind, r.Division, r.Direction, r.SupportingUnitCode, r.SupportingUnitName, r.Abstract} {
			columns[i] = append(columns[i], text)
		}
	}
	_, err := pool.Exec(context.Background(), insertGroup, ids, columns[0], columns[1], columns[2],
		columns[3], columns[4], columns[5], columns[6], payloads)
	return err
}

var (
	requestID  = regexp.MustCompile(`^[A-Za-z0-9._:/-]{0,64}$`)
	platformID = regexp.MustCompile(`^([a-z][a-z0-9-]{2,62})?$`)
	division   = regexp.MustCompile(`^([0-9]{6})?$`)
	kinds      = set("engineering-research-centre enterprise-technology-centre key-laboratory provincial-laboratory technology-innovation-centre")
	directions = set("new-materials biomedicine high-end-equipment low-altitude-economy")
)

const alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"

func set(words string) map[string]bool {
	found := map[string]bool{}
	for _, word := range strings.Fields(words) {
		found[word] = true
	}
	return found
}

// check holds a request to the same rules as the contract and the policy pack.
func check(r *peerpb.CreateRequest) string {
	p := r.Platform
	switch {
	case p == nil:
		return "platform is required"
	case !requestID.MatchString(r.RequestId):
		return "request_id"
	case !platformID.MatchString(r.PlatformId):
		return "platform_id"
	case !within(p.Title, 1, 200):
		return "title"
	case !within(p.SupportingUnitName, 0, 200):
		return "supporting_unit_name"
	case !within(p.Abstract, 0, 3000):
		return "abstract"
	case !kinds[p.Kind]:
		return "kind"
	case !directions[p.Direction]:
		return "direction"
	case !division.MatchString(p.Division):
		return "division"
	case !creditCode(p.SupportingUnitCode):
		return "supporting_unit_code"
	}
	return ""
}

func within(text string, least, most int) bool {
	n := utf8.RuneCountInString(text)
	return utf8.ValidString(text) && least <= n && n <= most
}

// creditCode checks a unified social credit code, GB 32100-2015.
func creditCode(code string) bool {
	if len(code) != 18 {
		return false
	}
	sum, weight := 0, 1
	for i := 0; i < 17; i++ {
		value := strings.IndexByte(alphabet, code[i])
		if value < 0 {
			return false
		}
		sum, weight = sum+value*weight, weight*3%31
	}
	return alphabet[(31-sum%31)%31] == code[17]
}

func main() {
	database := flag.String("database", "", "URL of a PostgreSQL database; empty: Echo only")
	how := flag.String("commit", "request", "request, trip or group")
	flag.Parse()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	s := &service{}
	if *database != "" {
		config, err := pgxpool.ParseConfig(*database)
		if err != nil {
			log.Fatal(err)
		}
		config.MaxConns = 16
		pool, err := pgxpool.NewWithConfig(context.Background(), config)
		if err != nil {
			log.Fatal(err)
		}
		s.save = map[string]func(*pgxpool.Pool) commit{"request": eachRequest, "trip": oneTrip, "group": grouped}[*how](pool)
	}
	server := grpc.NewServer()
	peerpb.RegisterPeerServer(server, s)
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	log.Fatal(server.Serve(listener))
}
