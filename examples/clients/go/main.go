// Registers a platform: go run . 127.0.0.1:50051
package main

import (
	"context"
	_ "embed"
	"fmt"
	"log"
	"os"
	"time"

	_ "google.golang.org/genproto/googleapis/rpc/errdetails" // so that an error's details can be read
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	platforms "example.com/department/gen/luoshu/platforms/v1"
)

//go:embed service_config.json
var config string

func main() {
	connection, err := grpc.NewClient(os.Args[1],
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultServiceConfig(config))
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	ctx = metadata.AppendToOutgoingContext(ctx,
		"luoshu-actor", "li.na", "luoshu-department", "12410100DEMA00013K", "luoshu-roles", "applicant")

	platform, err := platforms.NewPlatformServiceClient(connection).CreatePlatform(ctx, &platforms.CreatePlatformRequest{
		PlatformId: "go-laboratory",
		RequestId:  "cd3e6d6d-0d94-46eb-b071-a8401b880460", // made once for this change: the same for every try, and after a crash
		Platform: &platforms.Platform{
			Title: "河南省示例重点实验室", Kind: "key-laboratory", Division: "410100", Direction: "new-materials",
			SupportingUnitName: "中原示例大学", SupportingUnitCode: "12410100DEMA00013K", RecommendingUnit: "410100",
		},
	})
	if err != nil {
		told := status.Convert(err)
		fmt.Fprintln(os.Stderr, told.Code(), told.Message(), told.Details())
		os.Exit(1)
	}
	fmt.Println(platform.Name, platform.Etag, platform.State)
}
