import com.google.gson.Gson;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.MetadataUtils;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import luoshu.platforms.v1.PlatformServiceGrpc;
import luoshu.platforms.v1.Platforms;

/** Registers a platform. Arguments: the file service_config.json, and 127.0.0.1:50051. */
public final class Create {
  public static void main(String[] arguments) throws Exception {
    Map<String, ?> config = new Gson().fromJson(Files.readString(Path.of(arguments[0])), Map.class);
    ManagedChannel channel =
        Grpc.newChannelBuilder(arguments[1], InsecureChannelCredentials.create())
            .defaultServiceConfig(config)
            .intercept(MetadataUtils.newAttachHeadersInterceptor(who()))
            .build();
    try {
      Platforms.Platform platform =
          PlatformServiceGrpc.newBlockingStub(channel)
              .withDeadlineAfter(10, TimeUnit.SECONDS)
              .createPlatform(request());
      System.out.println(platform.getName() + " " + platform.getEtag() + " " + platform.getState());
    } catch (StatusRuntimeException error) {
      System.err.println(error.getStatus());
      System.exit(1);
    } finally {
      channel.shutdownNow();
    }
  }

  private static Metadata who() {
    Metadata metadata = new Metadata();
    Map.of("luoshu-actor", "li.na", "luoshu-department", "12410100DEMA00013K", "luoshu-roles", "applicant")
        .forEach((key, value) -> metadata.put(Metadata.Key.of(key, Metadata.ASCII_STRING_MARSHALLER), value));
    return metadata;
  }

  private static Platforms.CreatePlatformRequest request() {
    return Platforms.CreatePlatformRequest.newBuilder()
        .setPlatformId("java-laboratory")
        .setRequestId("43558f06-b96e-455c-aac2-8b059343b391") // made once for this change: the same for every try, and after a crash
        .setPlatform(
            Platforms.Platform.newBuilder()
                .setTitle("河南省示例重点实验室")
                .setKind("key-laboratory")
                .setDivision("410100")
                .setDirection("new-materials")
                .setSupportingUnitName("中原示例大学")
                .setSupportingUnitCode("12410100DEMA00013K")
                .setRecommendingUnit("410100"))
        .build();
  }
}
