// A connection's requests, of any API in any version, from their bytes to what the broker does: a session without a
// socket, a broker on a simulated disk.
//
//   input   := request*
//   request := api:u8 version:u8 size:u16 body     (place in the dispatch table, and the version or a number that is
//                                                   made one)
//
// Sixteen bytes of 0xee in a body become the id of the topic "t"; record batches get a right checksum, so that what
// stands behind the checksum is reached. The broker is made anew after kInputsPerBroker inputs: what an input does may
// need those before it.
//
// --samples=DIRECTORY names what wire/kafka/requests_fuzz.cc wrote as its seeds, of which --seeds=DIRECTORY makes those
// of this target.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "base/fuzzing.h"
#include "base/logging.h"
#include "broker/broker.h"
#include "kafka/api.h"
#include "kafka/response_queue.h"
#include "kafka/session.h"
#include "net/socketless.h"
#include "os/simulated_file_system.h"
#include "record/batch_builder.h"
#include "wire/kafka/messages/00_produce.h"

namespace headrace::kafka {
namespace {

constexpr int kInputsPerBroker = 64;
constexpr int32_t kPartitions = 2;
/// What a request that waits for the disk may take, before its timers are run.
constexpr std::chrono::milliseconds kAnswerWait{5};

/// A broker with a topic, and the server's side of its connections.
class World {
 public:
  World() {
    auto opened =
        broker::Broker::open({.data_directory = "/data", .partitions_max = 40}, metrics_, os::system_clock(), disk_);
    CHECK(opened.ok());
    broker_ = *std::move(opened);
    auto topic = broker_->create_topic({.name = "t", .partitions = kPartitions});
    CHECK(topic.ok());
    topic_id_.bytes = (*topic)->id.bytes;
    server_ = std::make_shared<ServerContext>(*broker_, KafkaServerOptions{.port = 0, .metrics = &metrics_});
  }
  ~World() {
    server_->blocking.stop();
    broker_.reset();
    loop_.run();
  }

  void serve(BytesView stream) {
    net::SocketlessConnection connection(loop_);
    {
      KafkaSession session(server_, connection);
      size_t used = 0;
      bool timers_ran = false;
      while (!connection.closed && used < stream.size()) {
        size_t taken = session.on_bytes(stream.subspan(used));
        used += taken;
        if (taken > 0 || connection.closed) continue;
        CHECK(connection.paused);
        loop_.run(kAnswerWait, [&] { return !connection.paused || connection.closed; });
        if (!connection.paused || connection.closed) continue;
        if (timers_ran) break;
        loop_.run_timers();
        timers_ran = true;
      }
      if (!connection.closed && session.on_end()) {
        loop_.run(kAnswerWait, [&] { return connection.closed; });
        if (!connection.closed) loop_.run_timers();
        loop_.run();
      }
      session.on_close();
    }
    loop_.run();
  }

  const wire::kafka::Uuid& topic_id() const { return topic_id_; }

 private:
  net::SocketlessLoop loop_;
  os::SimulatedFileSystem disk_;
  flow::MetricsRegistry metrics_;
  std::unique_ptr<broker::Broker> broker_;
  std::shared_ptr<ServerContext> server_;
  wire::kafka::Uuid topic_id_;
};

/// What stands for the id of the topic "t", which is another one in each broker.
wire::kafka::Uuid topic_id_mark() {
  wire::kafka::Uuid id;
  id.bytes.fill(0xee);
  return id;
}

void put_topic_id(Bytes& body, const wire::kafka::Uuid& id) {
  const auto mark = topic_id_mark().bytes;
  auto at = body.begin();
  while ((at = std::search(at, body.end(), mark.begin(), mark.end())) != body.end()) {
    at = std::copy(id.bytes.begin(), id.bytes.end(), at);
  }
}

/// Gives the record batches of a Produce request the length and checksum that they should have.
void seal_batches(Bytes& body, int16_t version) {
  wire::kafka::Decoder in{SharedBytes(nullptr, body)};
  auto request = wire::kafka::decode<wire::kafka::ProduceRequest>(in, version);
  if (!request.ok()) return;
  for (const auto& topic : request->topic_data) {
    for (const auto& partition : topic.partition_data) {
      if (partition.records.size() < record::kBatchHeaderBytes) continue;
      const SharedBytes& records = partition.records.parts[0];
      std::span<uint8_t> batch(body.data() + (records.data() - body.data()), records.size());
      if (record::read_header(batch).ok()) record::seal(batch);
    }
  }
}

void add_frame(const Api& api, int16_t version, BytesView body, Bytes& stream) {
  wire::kafka::Encoder out;
  wire::kafka::encode(out, wire::kafka::request_header_version(api.request, version),
                      wire::kafka::RequestHeader{api.key, version, 1, "c"});
  Bytes header = out.finish_body();
  codec::Writer writer(stream);
  writer.write(static_cast<int32_t>(header.size() + body.size()));
  writer.write_bytes(header);
  writer.write_bytes(body);
}

int16_t version_of(const Api& api, uint8_t choice) {
  if (api.versions.contains(choice)) return choice;
  return static_cast<int16_t>(api.versions.min + choice % (api.versions.max - api.versions.min + 1));
}

Bytes stream_of(BytesView input, const wire::kafka::Uuid& topic_id) {
  Bytes stream;
  codec::Reader reader(input);
  while (reader.remaining() > 4) {
    const Api& api = *api_table()[reader.read<uint8_t>() % api_table().size()];
    int16_t version = version_of(api, reader.read<uint8_t>());
    size_t size = std::min<size_t>(reader.read<uint16_t>(), reader.remaining());
    BytesView bytes = reader.read_bytes(size);
    Bytes body(bytes.begin(), bytes.end());
    put_topic_id(body, topic_id);
    if (api.key == wire::kafka::ProduceRequest::kSpec.api_key) seal_batches(body, version);
    add_frame(api, version, body, stream);
  }
  return stream;
}

// --- Seeds

constexpr int kRuns = 300;
constexpr int kRequestsPerRun = 6;
constexpr uint64_t kProduceSeeds = 15;

/// Batches for "t", in each codec.
Bytes sample_batch(uint64_t seed) {
  record::BatchBuilder builder(static_cast<codec::Compression>(seed % 5));
  for (uint64_t i = 0; i <= seed % 3; ++i) builder.add(1'700'000'000'000, "k", "value");
  record::Batch batch = builder.finish();
  return Bytes(batch.bytes().view().begin(), batch.bytes().view().end());
}

void add_request(size_t place, int16_t version, BytesView body, Bytes& input) {
  if (body.size() > UINT16_MAX) return;
  codec::Writer writer(input);
  writer.write(static_cast<uint8_t>(place));
  writer.write(static_cast<uint8_t>(version));
  writer.write(static_cast<uint16_t>(body.size()));
  writer.write_bytes(body);
}

/// Produce requests that are taken.
Bytes sample_produce(uint64_t seed) {
  using wire::kafka::ProduceRequest;
  const Api& api = *api_table()[0];
  CHECK(api.key == ProduceRequest::kSpec.api_key);
  ProduceRequest request;
  request.acks = static_cast<int16_t>(seed % 3) - 1;
  auto& topic = request.topic_data.emplace_back();
  topic.name = "t";
  topic.topic_id = topic_id_mark();
  auto& partition = topic.partition_data.emplace_back();
  partition.index = static_cast<int32_t>(seed % kPartitions);
  partition.records = wire::kafka::Records(SharedBytes(sample_batch(seed)));
  int16_t version = version_of(api, static_cast<uint8_t>(seed));
  wire::kafka::Encoder out;
  wire::kafka::encode(out, version, request);
  Bytes input;
  add_request(0, version, out.finish_body(), input);
  return input;
}

/// The requests among the samples: place, version, body.
std::vector<Bytes> read_samples(const std::string& directory) {
  std::vector<Bytes> requests;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    std::ifstream file(entry.path(), std::ios::binary);
    std::string text((std::istreambuf_iterator<char>(file)), {});
    if (text.size() < 2 || static_cast<uint8_t>(text[0]) >= api_table().size()) continue;
    add_request(static_cast<uint8_t>(text[0]), static_cast<uint8_t>(text[1]), as_bytes(text).subspan(2),
                requests.emplace_back());
  }
  return requests;
}

void write_seeds(const std::string& samples, const std::string& directory) {
  std::vector<Bytes> all = read_samples(samples);
  for (uint64_t seed = 0; seed < kProduceSeeds; ++seed) all.push_back(sample_produce(seed));
  for (size_t i = 0; i < all.size(); ++i) write_seed(directory, "one-" + std::to_string(i), all[i]);
  std::mt19937_64 random(1);
  for (int run = 0; run < kRuns; ++run) {
    Bytes input = sample_produce(random());
    for (int i = 1; i < kRequestsPerRun; ++i) {
      const Bytes& one = all[random() % all.size()];
      input.insert(input.end(), one.begin(), one.end());
    }
    write_seed(directory, "run-" + std::to_string(run), input);
  }
}

}  // namespace
}  // namespace headrace::kafka

extern "C" int LLVMFuzzerInitialize(int* count, char*** arguments) {
  using namespace headrace;
  auto samples = fuzz_argument(*count, *arguments, "samples"), seeds = fuzz_argument(*count, *arguments, "seeds");
  if (samples && seeds) kafka::write_seeds(*samples, *seeds);
  set_log_level(LogLevel::kError);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace headrace;
  static std::unique_ptr<kafka::World> world;
  static int inputs = 0;
  if (!world || ++inputs % kafka::kInputsPerBroker == 0) {
    world.reset();
    world = std::make_unique<kafka::World>();
  }
  Bytes stream = kafka::stream_of({data, size}, world->topic_id());
  world->serve(stream);
  return 0;
}
