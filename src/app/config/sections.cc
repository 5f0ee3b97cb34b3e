#include "app/config/sections.h"

#include <limits>

#include "columns/schema.h"

namespace headrace::app {
namespace {

using flow::OptionSpec;
using flow::OptionType;

constexpr OptionSpec kListenOptions[] = {
    {.name = "kafka",
     .fallback = "127.0.0.1:9092",
     .help = "Address of the Kafka protocol server (embedded bus only); port 0 picks a free one, `off` serves none."},
    {.name = "mqtt",
     .fallback = "127.0.0.1:1883",
     .help = "Address of the MQTT server; it listens when `ingest` has `mqtt`."},
    {.name = "http", .fallback = "127.0.0.1:8080", .help = "Address of the console, the HTTP API and HTTP ingest."},
    {.name = "advertised.kafka",
     .help = "What Kafka clients are told to connect to; by default the address that they dialled, which is wrong only "
             "behind something that forwards another address or port."},
    {.name = "buffer_bytes_max",
     .type = OptionType::kSize,
     .fallback = "512MiB",
     .min = 1 << 20,
     .help = "Memory of what all connections together have sent in part and of answers that wait for their readers; "
             "beyond it new requests wait, and what stands still for 10 s is closed (queued.max.request.bytes)."},
};

constexpr int64_t kSecond = 1000;
constexpr int64_t kMinute = 60 * kSecond;
constexpr int64_t kDay = 24 * 60 * kMinute;
constexpr int64_t kKafkaInt = std::numeric_limits<int32_t>::max();  // The most that Kafka's own option takes.

constexpr OptionSpec kBrokerOptions[] = {
    {.name = "auto_create_topics",
     .type = OptionType::kBoolean,
     .fallback = "true",
     .help = "Whether a topic that a client names and that does not exist is created (auto.create.topics.enable)."},
    {.name = "default_partitions",
     .type = OptionType::kInteger,
     .fallback = "1",
     .min = 1,
     .max = 10'000,
     .help = "Partitions of topics that are created without a count (num.partitions)."},
    {.name = "topic_defaults",
     .type = OptionType::kStringMap,
     .help = "Topic properties, as under `topics`, of all topics that don't set them themselves, those that are there "
             "already included (log.retention.ms, log.segment.bytes, message.max.bytes and the like)."},
    {.name = "retention_check_interval",
     .type = OptionType::kDuration,
     .fallback = "5m",
     .min = 100,
     .max = 24LL * 3600 * 1000,
     .help = "How often segments are looked for that retention lets go (log.retention.check.interval.ms)."},
    {.name = "compaction_interval",
     .type = OptionType::kDuration,
     .fallback = "15s",
     .min = 100,
     .max = 24LL * 3600 * 1000,
     .help = "How long compaction pauses between two rounds (log.cleaner.backoff.ms)."},
    {.name = "compaction_memory_max",
     .type = OptionType::kSize,
     .fallback = "32MiB",
     .min = 64 << 10,
     .max = int64_t{1} << 40,
     .help = "Memory for the keys of one pass of compaction, 24 bytes each; more keys take more passes "
             "(log.cleaner.dedupe.buffer.size)."},
    {.name = "compaction_bytes_per_second_max",
     .type = OptionType::kSize,
     .fallback = "64MiB",
     .min = 0,
     .max = int64_t{1} << 40,
     .help = "How fast compaction reads and writes; 0: no limit (log.cleaner.io.max.bytes.per.second)."},
    {.name = "flush_threads",
     .type = OptionType::kInteger,
     .min = 1,
     .max = 256,
     .help =
         "Threads that make records durable, each one partition at a time, and wait for the disk meanwhile; by default "
         "two for each core, 4 at least."},
    {.name = "group_initial_rebalance_delay",
     .type = OptionType::kDuration,
     .fallback = "50ms",
     .min = 0,
     .max = 60'000,
     .help = "How long the first member of an empty group waits for more (group.initial.rebalance.delay.ms)."},
    {.name = "group_session_timeout_min",
     .type = OptionType::kDuration,
     .fallback = "100ms",
     .min = 1,
     .max = kDay,
     .help =
         "The shortest session timeout that a member of a classic group may ask for (group.min.session.timeout.ms)."},
    {.name = "group_session_timeout_max",
     .type = OptionType::kDuration,
     .fallback = "30m",
     .min = 1,
     .max = kDay,
     .help =
         "The longest session timeout that a member of a classic group may ask for (group.max.session.timeout.ms)."},
    {.name = "group_members_max",
     .type = OptionType::kInteger,
     .fallback = "10000",
     .min = 1,
     .max = 1'000'000,
     .help = "Most members of one group (group.max.size, group.consumer.max.size)."},
    {.name = "group_metadata_bytes_max",
     .type = OptionType::kSize,
     .fallback = "128MiB",
     .min = 1 << 20,
     .max = 240 << 20,
     .help =
         "Memory of what the members of all groups say of themselves (subscriptions, metadata of their assignors) and "
         "are assigned; who would take more is refused (GROUP_MAX_SIZE_REACHED). As much again is kept of what is "
         "written of them."},
    {.name = "groups_max",
     .type = OptionType::kInteger,
     .fallback = "100000",
     .min = 1,
     .max = 10'000'000,
     .help = "Most groups of each kind, and most groups that have committed offsets."},
    {.name = "offsets_retention",
     .type = OptionType::kDuration,
     .fallback = "7d",
     .min = kMinute,
     .max = kKafkaInt * kMinute,
     .help = "When committed offsets of a group without members are forgotten (offsets.retention.minutes)."},
    {.name = "offset_metadata_bytes_max",
     .type = OptionType::kSize,
     .fallback = "4KiB",
     .min = 0,
     .max = 32'767,
     .help = "The longest text that a consumer may leave with a committed offset (offset.metadata.max.bytes)."},
    {.name = "consumer_group_session_timeout",
     .type = OptionType::kDuration,
     .fallback = "45s",
     .min = 1000,
     .max = 1'800'000,
     .help =
         "Silence after which a member of a consumer group (KIP-848) is removed (group.consumer.session.timeout.ms)."},
    {.name = "consumer_group_heartbeat_interval",
     .type = OptionType::kDuration,
     .fallback = "5s",
     .min = 100,
     .max = 60'000,
     .help = "How often members of consumer groups are told to speak up, which is how fast they rebalance "
             "(group.consumer.heartbeat.interval.ms)."},
    {.name = "transaction_timeout_max",
     .type = OptionType::kDuration,
     .fallback = "15m",
     .min = kMinute,  // What the transactions of pipelines ask for.
     .max = kKafkaInt,
     .help = "The longest timeout that a transactional producer may ask for (transaction.max.timeout.ms)."},
    {.name = "transactional_id_expiration",
     .type = OptionType::kDuration,
     .fallback = "7d",
     .min = kSecond,
     .max = kKafkaInt,
     .help = "When a transactional id that does nothing is forgotten (transactional.id.expiration.ms)."},
    {.name = "transactional_id_cleanup_interval",
     .type = OptionType::kDuration,
     .fallback = "1h",
     .min = 100,
     .max = kDay,
     .help = "How often transactional ids are looked for that expired "
             "(transaction.remove.expired.transaction.cleanup.interval.ms)."},
    {.name = "transactional_ids_max",
     .type = OptionType::kInteger,
     .fallback = "100000",
     .min = 1,
     .max = 10'000'000,
     .help = "Most transactional ids."},
    {.name = "producer_id_expiration",
     .type = OptionType::kDuration,
     .fallback = "1d",
     .min = kSecond,
     .max = kKafkaInt,
     .help = "When a partition forgets an idempotent producer that sends nothing, and no longer knows its duplicates "
             "(producer.id.expiration.ms)."},
    {.name = "connection_idle_max",
     .type = OptionType::kDuration,
     .fallback = "10m",
     .min = kSecond,
     .max = 365 * kDay,
     .help = "Silence after which a Kafka client's connection is closed (connections.max.idle.ms)."},
    {.name = "fetch_sessions_max",
     .type = OptionType::kInteger,
     .fallback = "1000",
     .min = 0,
     .max = 1'000'000,
     .help = "Incremental fetch sessions of Kafka clients that are kept; who gets none names all its partitions each "
             "time (max.incremental.fetch.session.cache.slots)."},
    {.name = "request_bytes_max",
     .type = OptionType::kSize,
     .fallback = "100MiB",
     .min = 64 << 10,
     .max = kKafkaInt,
     .help = "The largest request of a Kafka client (socket.request.max.bytes)."},
    {.name = "fetch_bytes_max",
     .type = OptionType::kSize,
     .fallback = "64MiB",
     .min = 1 << 20,
     .max = int64_t{1} << 40,
     .help = "Memory of fetched records, over all connections, that Kafka clients have not received yet; beyond it "
             "fetches are small."},
    {.name = "disk_reserve",
     .type = OptionType::kSize,
     .min = 0,
     .help = "Free disk space below which records of clients are refused, so that reading, deleting and commits go on; "
             "256MiB by default, on a small disk a 20th of it."},
    {.name = "partitions_max",
     .type = OptionType::kInteger,
     .fallback = "100000",
     .min = 1,
     .max = 10'000'000,
     .help = "Most partitions of all topics together."},
    {.name = "open_files_max",
     .type = OptionType::kInteger,
     .min = 16,
     .max = 10'000'000,
     .help = "Files of partitions that are kept open; a quarter of the process's limit by default, 4096 at most."},
};

constexpr std::string_view kFormats[] = {"json", "csv", "raw"};
constexpr OptionSpec kStreamOptions[] = {
    {.name = "topic", .help = "The topic to read; the stream's own name by default."},
    {.name = "format",
     .type = OptionType::kChoice,
     .fallback = "json",
     .choices = kFormats,
     .help = "What a record's value is."},
    {.name = "event_time", .help = "The timestamp column that windows go by; the record's own time by default."},
    {.name = "watermark",
     .type = OptionType::kDuration,
     .fallback = "5s",
     .min = 0,
     .help = "How much later than the newest event a record may still come before its window closes."},
    {.name = "idle_timeout",
     .type = OptionType::kDuration,
     .fallback = "30s",
     .min = 100,
     .help = "Silence after which a partition no longer holds windows open; when all are silent, the wall clock closes "
             "them."},
    {.name = "fields",
     .type = OptionType::kStringList,
     .help = "CSV: the fields of a line in their order, where they are not just the columns."},
    {.name = "delimiter", .fallback = ",", .help = "CSV: the character between fields."},
};

constexpr std::string_view kStarts[] = {"earliest", "latest"};
constexpr std::string_view kLate[] = {"dead_letter", "drop"};
constexpr OptionSpec kPipelineOptions[] = {
    {.name = "sql", .required = true, .help = "One SELECT over a stream; see docs/sql.md."},
    {.name = "to", .required = true, .help = "The topic of the results, which are JSON objects."},
    {.name = "key", .help = "The output column that becomes the record's key."},
    {.name = "from",
     .type = OptionType::kChoice,
     .fallback = "earliest",
     .choices = kStarts,
     .help = "Where a pipeline begins that has never run."},
    {.name = "late",
     .type = OptionType::kChoice,
     .fallback = "dead_letter",
     .choices = kLate,
     .help = "What becomes of a record whose window has closed."},
    {.name = "dead_letter_topic", .fallback = "dead-letters", .help = "Where records go that do not parse or fit."},
    {.name = "commit_interval",
     .type = OptionType::kDuration,
     .fallback = "100ms",
     .min = 1,
     .max = 30'000,  // Half of what a pipeline's transaction may take.
     .help = "The longest that results wait for their commit."},
    {.name = "state_bytes_max",
     .type = OptionType::kSize,
     .fallback = "256MiB",
     .min = 1 << 20,
     .help = "Memory of window state; rows that need a new group or a longer text beyond it go to the dead letters."},
};

constexpr OptionSpec kSinkOptions[] = {
    {.name = "type", .required = true, .help = "Which sink: one of those below."},
    {.name = "enabled",
     .type = OptionType::kBoolean,
     .fallback = "true",
     .help = "Whether it runs; `--set sinks.NAME.enabled=true` switches it from the command line."},
};

constexpr OptionSpec kDashboardOptions[] = {
    {.name = "title", .help = "The heading of the page; the dashboard's name by default."},
};

}  // namespace

constinit const flow::ComponentSpec kListenSpec{"listen", "Addresses that the program listens on.", kListenOptions};
constinit const flow::ComponentSpec kBrokerSpec{"broker", "The embedded broker.", kBrokerOptions};
constinit const flow::ComponentSpec kStreamSpec{"streams", "A topic seen as typed columns.", kStreamOptions};
constinit const flow::ComponentSpec kPipelineSpec{
    "pipelines", "SQL over a stream, with its results in a topic, exactly once.", kPipelineOptions};
constinit const flow::ComponentSpec kSinkSpec{"sinks", "Topics written to another system.", kSinkOptions};
constinit const flow::ComponentSpec kDashboardSpec{"dashboards", "Pages of the console.", kDashboardOptions};

std::span<const Section> sections() {
  using Shape = Section::Shape;
  static constexpr Section kSections[] = {
      {"bus", "Where the log is: `embedded`, or `kafka:` with `bootstrap.servers` and any other librdkafka property.",
       Shape::kSpecial},
      {"data", "The folder of the log and of pipelines' state; `--data` overrides it.", Shape::kSpecial},
      {"listen", "Addresses that the program listens on.", Shape::kOptions, &kListenSpec},
      {"broker", "The embedded broker.", Shape::kOptions, &kBrokerSpec},
      {"topics", "Topics to create: `partitions`, `replication.factor` and Kafka's own topic properties.",
       Shape::kSpecial},
      {"ingest", "Ways in for devices, each by its component's name.", Shape::kSpecial},
      {"streams", "Topics seen as typed columns, by the name that SQL uses.", Shape::kNamedOptions, &kStreamSpec},
      {"pipelines", "SQL over a stream, with its results in a topic, exactly once.", Shape::kNamedOptions,
       &kPipelineSpec},
      {"sinks", "Topics written to other systems.", Shape::kSpecial},
      {"dashboards", "Pages of the console, each a list of panels.", Shape::kSpecial},
  };
  return kSections;
}

}  // namespace headrace::app
