// Writes records as documents of an OpenSearch (or Elasticsearch) index, in bulk. A document's id is
// topic-partition-offset, so that writing a record twice changes nothing.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>

#include "flow/sink.h"
#include "os/clock.h"
#include "sinks/json_text.h"
#include "sinks/opensearch/bootstrap.h"
#include "sinks/opensearch/bulk.h"
#include "sinks/opensearch/http_client.h"
#include "sinks/opensearch/index_name.h"
#include "sinks/sinks.h"

namespace headrace::sinks {
namespace {

using flow::OptionType;
using flow::SinkRecord;
using flow::WriteAnswer;
using Outcome = flow::WriteAnswer::Outcome;

constexpr flow::OptionSpec kOptions[] = {
    {.name = "url", .required = true, .help = "The cluster's address, as http://host:9200 or https://host:9200."},
    {.name = "index",
     .fallback = "{topic}",
     .help =
         "The index; {topic} is the record's topic in lower case, {date} its timestamp's day (UTC, as 2026-11-21)."},
    {.name = "username", .help = "The user of HTTP basic authentication."},
    {.name = "password", .help = "The user's password."},
    {.name = "ca_file", .help = "A PEM file with the authorities to trust for https, in place of the system's."},
    {.name = "gzip", .type = OptionType::kBoolean, .fallback = "false", .help = "Compress requests."},
    {.name = "mapping", .help = "The JSON of `mappings` with which an index that does not exist is created."},
    {.name = "geo_point",
     .type = OptionType::kStringList,
     .help = "Fields to map as geo_point where an index does not exist; the short way for maps."},
    {.name = "pipeline", .help = "The ingest pipeline that documents go through."},
    {.name = "request_bytes_max",
     .type = OptionType::kSize,
     .fallback = "5MiB",
     .min = 1024,
     .max = 100 << 20,
     .help = "The most bytes of one request before compression; a single larger document goes alone."},
    {.name = "connect_timeout",
     .type = OptionType::kDuration,
     .fallback = "5s",
     .min = 1,
     .max = 600'000,
     .help = "How long to wait for a connection."},
    {.name = "request_timeout",
     .type = OptionType::kDuration,
     .fallback = "60s",
     .min = 1,
     .max = 3'600'000,
     .help = "How long to wait for the answer to a request; after it the request is made again."},
};

/// The documents of one write, in one text; each has its place and the record that it came from.
struct Document {
  size_t record;  ///< Index into the records of the write.
  size_t begin, end;
};

class OpenSearchSink final : public flow::Sink {
 public:
  OpenSearchSink(opensearch::HttpClient client, opensearch::IndexName index, opensearch::IndexBootstrap bootstrap,
                 std::string pipeline, size_t request_bytes_max)
      : client_(std::move(client)),
        index_(std::move(index)),
        bootstrap_(std::move(bootstrap)),
        request_bytes_max_(request_bytes_max) {
    path_ = "/_bulk?filter_path=items.*.status,items.*.error";
    if (!pipeline.empty()) path_ += "&pipeline=" + pipeline;
  }

  Result<std::vector<WriteAnswer>> write(std::span<const SinkRecord> records) override {
    answers_.assign(records.size(), {});
    if (auto status = lay_out(records); !status.ok()) return status.error();
    for (size_t first = 0; first < documents_.size();) {
      size_t last = first + 1;
      while (last < documents_.size() && documents_[last].end - documents_[first].begin <= request_bytes_max_) ++last;
      if (!send({documents_.data() + first, last - first})) {
        give_up({documents_.data() + last, documents_.size() - last});
        break;
      }
      first = last;
    }
    return std::move(answers_);
  }

  void cancel() override { client_.cancel(); }
  std::string destination() const override { return "opensearch at " + client_.url(); }

 private:
  Status lay_out(std::span<const SinkRecord> records);
  bool send(std::span<const Document> documents);
  bool split(std::span<const Document> documents, std::string_view reason);
  void answer_all(std::span<const Document> documents, Outcome outcome, const std::string& reason,
                  std::chrono::milliseconds retry_after = {});
  void give_up(std::span<const Document> documents);
  Result<WriteAnswer> ensure_index(const std::string& index, int64_t timestamp_ms);

  opensearch::HttpClient client_;
  const opensearch::IndexName index_;
  opensearch::IndexBootstrap bootstrap_;
  std::string path_;
  const size_t request_bytes_max_;
  JsonText json_;
  std::string body_;  ///< Reused: all documents of one write.
  std::vector<Document> documents_;
  std::vector<WriteAnswer> answers_;
  std::string trouble_;  ///< Why the server could not be used, for documents that were not sent at all.
  std::map<std::string, std::string> refused_;  ///< Indices that the cluster has no room for, and what it said.
};

/// Fills body_ and documents_; answers for records that can't be documents, and for all of an index that can't be made
/// yet.
Status OpenSearchSink::lay_out(std::span<const SinkRecord> records) {
  body_.clear();
  documents_.clear();
  trouble_.clear();
  refused_.clear();
  std::string index;
  for (size_t i = 0; i < records.size(); ++i) {
    const auto& [tp, record] = records[i];
    if (!record.value) {
      answers_[i] = {Outcome::kRejected, "the value is null; a document is a JSON object", {}};
      continue;
    }
    index.clear();
    index_.append(tp->topic, record.timestamp_ms, index);
    ASSIGN_OR_RETURN(answers_[i], ensure_index(index, record.timestamp_ms));
    if (answers_[i].outcome != Outcome::kWritten) continue;
    size_t begin = body_.size();
    opensearch::append_action(index, *tp, record.offset, body_);
    if (auto status = json_.append_object(*record.value, body_); !status.ok()) {
      body_.resize(begin);
      answers_[i] = {Outcome::kRejected, status.error().message, {}};
      continue;
    }
    body_ += '\n';
    documents_.push_back({i, begin, body_.size()});
  }
  return {};
}

/// Whether a time can't be that of a device whose clock is right. Any may make a day of `{date}`.
bool is_far(int64_t timestamp_ms) {
  constexpr int64_t kFarMs = 7 * 86'400'000LL;
  int64_t now_ms = os::system_clock().wall_ms();
  return timestamp_ms > now_ms + kFarMs || timestamp_ms < now_ms - kFarMs;
}

/// The answer for a record of `index`: kWritten where the index can take it. A cluster without room for one more is
/// waited for, unless the record's time is to blame.
Result<WriteAnswer> OpenSearchSink::ensure_index(const std::string& index, int64_t timestamp_ms) {
  // One attempt a write: the next record would only wait for the same time-out.
  if (!trouble_.empty()) return WriteAnswer{Outcome::kRetry, trouble_, {}};
  if (auto found = refused_.find(index); found != refused_.end())
    return WriteAnswer{Outcome::kRejected, found->second, {}};
  auto status = bootstrap_.ensure(client_, index);
  if (status.ok()) return WriteAnswer{};
  std::string reason = destination() + ": " + status.error().message;
  if (status.error().code == ErrorCode::kInvalidArgument) return Error{ErrorCode::kInvalidArgument, reason};
  if (status.error().code == ErrorCode::kOutOfSpace && is_far(timestamp_ms)) {
    refused_[index] = reason;
    return WriteAnswer{Outcome::kRejected, reason, {}};
  }
  trouble_ = reason;
  return WriteAnswer{Outcome::kRetry, trouble_, {}};
}

/// Sends one request and answers for its documents. False: the server takes nothing now, so the rest can wait too.
bool OpenSearchSink::send(std::span<const Document> documents) {
  std::string_view body =
      std::string_view(body_).substr(documents.front().begin, documents.back().end - documents.front().begin);
  auto answer = client_.send("POST", path_, "application/x-ndjson", body);
  if (!answer.ok()) {
    trouble_ = destination() + ": " + answer.error().message;
    if (answer.error().code == ErrorCode::kTooLarge) return split(documents, trouble_);  // An error quotes documents.
    answer_all(documents, Outcome::kRetry, trouble_);
    return false;
  }
  if (answer->status == 400 || answer->status == 413) return split(documents, answer->body);
  if (answer->status != 200) {
    trouble_ = fmt::format("{}: status {}: {}", destination(), answer->status, opensearch::error_reason(answer->body));
    answer_all(documents, Outcome::kRetry, trouble_, answer->retry_after);
    return false;
  }
  auto items = opensearch::parse_bulk_answer(answer->body, documents.size());
  if (!items.ok()) {
    trouble_ = destination() + ": " + items.error().message;
    answer_all(documents, Outcome::kRetry, trouble_);
    return false;
  }
  for (size_t i = 0; i < documents.size(); ++i) {
    WriteAnswer& item = (*items)[i];
    if (item.outcome == Outcome::kRetry) item.reason = destination() + ": " + item.reason;
    answers_[documents[i].record] = std::move(item);
  }
  return true;
}

/// A request that is too large or refused as a whole, or whose answer is too large, goes in halves, until the document
/// that is to blame stands alone.
bool OpenSearchSink::split(std::span<const Document> documents, std::string_view answer) {
  if (documents.size() == 1) {
    answer_all(documents, Outcome::kRejected,
               "the request with this document alone is refused: " + opensearch::error_reason(answer));
    return true;
  }
  size_t half = documents.size() / 2;
  if (!send(documents.first(half))) {
    give_up(documents.subspan(half));
    return false;
  }
  return send(documents.subspan(half));
}

void OpenSearchSink::answer_all(std::span<const Document> documents, Outcome outcome, const std::string& reason,
                                std::chrono::milliseconds retry_after) {
  for (const Document& document : documents) answers_[document.record] = {outcome, reason, retry_after};
}

void OpenSearchSink::give_up(std::span<const Document> documents) { answer_all(documents, Outcome::kRetry, trouble_); }

std::string text_or_empty(const flow::Options& options, std::string_view name) {
  return options.has(name) ? options.text(name) : "";
}

/// Pipeline ids go into the request's path: letters, digits, '.', '_' and '-' need no escaping there.
bool is_plain_id(std::string_view id) {
  return std::all_of(id.begin(), id.end(),
                     [](unsigned char c) { return std::isalnum(c) || c == '.' || c == '_' || c == '-'; });
}

Result<std::unique_ptr<flow::Sink>> make(const flow::Options& options, const flow::SinkContext&) {
  opensearch::HttpClientOptions http{.url = options.text("url"),
                                     .username = text_or_empty(options, "username"),
                                     .password = text_or_empty(options, "password"),
                                     .ca_file = text_or_empty(options, "ca_file"),
                                     .gzip = options.boolean("gzip"),
                                     .connect_timeout = options.duration("connect_timeout"),
                                     .request_timeout = options.duration("request_timeout")};
  ASSIGN_OR_RETURN(opensearch::HttpClient client, opensearch::HttpClient::make(std::move(http)));
  ASSIGN_OR_RETURN(opensearch::IndexName index, opensearch::IndexName::parse(options.text("index")));
  std::string pipeline = text_or_empty(options, "pipeline");
  if (!is_plain_id(pipeline)) {
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("pipeline '{}': letters, digits, '.', '_' and '-' are allowed", pipeline)};
  }
  std::vector<std::string> geo_points;
  if (options.has("geo_point")) geo_points = options.list("geo_point");
  ASSIGN_OR_RETURN(opensearch::IndexBootstrap bootstrap,
                   opensearch::IndexBootstrap::make(text_or_empty(options, "mapping"), geo_points));
  return std::unique_ptr<flow::Sink>(
      std::make_unique<OpenSearchSink>(std::move(client), std::move(index), std::move(bootstrap), std::move(pipeline),
                                       static_cast<size_t>(options.integer("request_bytes_max"))));
}

}  // namespace

const flow::SinkComponent& opensearch_sink() {
  static const flow::SinkComponent component{
      {"opensearch", "Writes JSON records as documents of an OpenSearch index; writing one twice changes nothing.",
       kOptions},
      &make};
  return component;
}

}  // namespace headrace::sinks
