#include "broker/topic_import.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <sstream>

#include "base/logging.h"
#include "broker/metadata.h"
#include "log/file_names.h"

namespace headrace::broker {
namespace {

constexpr std::array<std::string_view, 4> kKafkasOwn = {"__cluster_metadata", "__consumer_offsets",
                                                        "__share_group_state", "__transaction_state"};
/// An instance that starts removes what ends so.
constexpr std::string_view kStagingSuffix = ".importing-delete";
constexpr size_t kSmallFileBytesMax = 16 << 20;
/// Kafka counts its producer ids up from 0: larger ones are nonsense, and giving ids out above them would overflow.
constexpr ProducerId kProducerIdMax{int64_t{1} << 62};

std::string without_slash(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

/// "mytopic-0"; nothing for other names, as those of partitions that Kafka is deleting ("mytopic-0.<id>-delete").
std::optional<TopicPartition> partition_of(std::string_view name) {
  size_t dash = name.rfind('-');
  if (dash == std::string_view::npos || dash == 0) return std::nullopt;
  int32_t id = 0;
  auto [end, error] = std::from_chars(name.data() + dash + 1, name.data() + name.size(), id);
  if (error != std::errc() || end != name.data() + name.size() || id < 0) return std::nullopt;
  return TopicPartition{std::string(name.substr(0, dash)), PartitionId(id)};
}

/// The topic id of Kafka's partition.metadata: "version: 0\ntopic_id: <22 characters of base64url>\n".
std::optional<Uuid> parse_topic_id(std::string_view text) {
  constexpr std::string_view kKey = "topic_id: ";
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  constexpr size_t kIdDigits = 22;
  size_t at = text.find(kKey);
  if (at == std::string_view::npos || text.size() < at + kKey.size() + kIdDigits) return std::nullopt;
  text = text.substr(at + kKey.size(), kIdDigits);
  Uuid id;
  uint32_t bits = 0;
  int held = 0;
  size_t next = 0;
  for (char c : text) {
    size_t digit = kDigits.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<uint32_t>(digit);
    held += 6;
    if (held < 8 || next == id.bytes.size()) continue;
    held -= 8;
    id.bytes[next++] = static_cast<uint8_t>(bits >> held);
  }
  return id;
}

class Import {
 public:
  Import(os::FileSystem& files, os::Clock& clock, TopicImport& options)
      : files_(files), clock_(clock), options_(options) {}

  Result<ImportReport> run() {
    for (const std::string& source : options_.sources) RETURN_IF_ERROR(find(without_slash(source)));
    if (topics_.empty())
      return Error{ErrorCode::kNotFound, "there are no partition folders (<topic>-<partition>) in what was named"};
    const std::string& data = options_.data_directory;
    RETURN_IF_ERROR(os::make_directories_durably(files_, data));
    auto lock = files_.lock(data + "/.lock");
    if (!lock.ok() && lock.error().code == ErrorCode::kUnavailable) {
      return Error{ErrorCode::kUnavailable, "an instance runs on " + data + "; stop it first"};
    }
    if (!lock.ok()) return lock.error();
    ASSIGN_OR_RETURN(auto metadata, Metadata::open(files_, clock_, data + "/" + std::string(kMetadataDirectory)));
    Status done = import_all(*metadata);
    Status closed = metadata->close();
    RETURN_IF_ERROR(done);
    if (!closed.ok()) log_warn("closing the metadata log: {}", closed.error().message);
    return report_;
  }

 private:
  using Folders = std::map<int32_t, std::string>;
  using StoredTopics = std::map<std::string, StoredTopic, std::less<>>;

  Status find(const std::string& source) {
    ASSIGN_OR_RETURN(auto names, files_.list(source));
    auto is_log = [](const std::string& name) { return name.ends_with(".log"); };
    if (partition_of(name_of(source)) && std::any_of(names.begin(), names.end(), is_log)) return add(source);
    for (const std::string& name : names) {
      if (partition_of(name)) RETURN_IF_ERROR(add(source + "/" + name));
    }
    return {};
  }

  /// A broker that runs holds the lock of its log.dirs.
  Status lock_source(const std::string& directory) {
    std::string path = directory + "/.lock";
    ASSIGN_OR_RETURN(bool there, files_.exists(path));
    if (!there || locks_.contains(path)) return {};
    auto lock = files_.lock(path);
    if (!lock.ok() && lock.error().code == ErrorCode::kUnavailable) {
      return Error{ErrorCode::kUnavailable, "a broker runs on " + directory + "; stop it first"};
    }
    if (!lock.ok()) return lock.error().in("finding out whether a broker runs on " + directory);
    locks_[path] = *std::move(lock);
    return {};
  }

  Status add(const std::string& folder) {
    RETURN_IF_ERROR(lock_source(os::parent_directory(folder)));
    TopicPartition tp = *partition_of(name_of(folder));
    if (std::find(kKafkasOwn.begin(), kKafkasOwn.end(), tp.topic) != kKafkasOwn.end()) {
      auto& skipped = report_.skipped;
      if (std::find(skipped.begin(), skipped.end(), tp.topic) == skipped.end()) skipped.push_back(tp.topic);
      return {};
    }
    auto [at, added] = topics_[tp.topic].emplace(tp.partition.value, folder);
    if (added) return {};
    return Error{ErrorCode::kInvalidArgument,
                 "both " + at->second + " and " + folder + " hold " + to_string(tp) + "; name one of them"};
  }

  Status check(const Metadata& metadata, const std::string& name, const Folders& folders) {
    RETURN_IF_ERROR(check_topic_name(name));
    auto known = metadata.topics().find(name);
    bool cut_short = known != metadata.topics().end() && known->second.deleting;
    if (known != metadata.topics().end() && !cut_short) {
      return Error{ErrorCode::kAlreadyExists, "topic '" + name + "' exists already; delete it first"};
    }
    auto count = static_cast<int32_t>(folders.size());
    for (int32_t i = 0; i < count; ++i) {
      if (!folders.contains(i)) {
        return Error{ErrorCode::kNotFound, "topic '" + name + "': partition " + std::to_string(i) + " of at least " +
                                               std::to_string(folders.rbegin()->first + 1) +
                                               " is missing; name the folders of all brokers that hold its partitions"};
      }
      std::string to = target(name, i);
      ASSIGN_OR_RETURN(bool there, files_.exists(to));
      if (there && !cut_short)
        return Error{ErrorCode::kAlreadyExists, to + " belongs to no topic and is in the way; move it away"};
    }
    return {};
  }

  std::string target(const std::string& name, int32_t partition) const {
    return options_.data_directory + "/" + to_string(TopicPartition{name, PartitionId(partition)});
  }

  std::string staging(const std::string& name, int32_t partition) const {
    return log::renamed(target(name, partition), kStagingSuffix);
  }

  /// All topics or, after an error, none.
  Status import_all(Metadata& metadata) {
    for (const auto& [name, folders] : topics_) RETURN_IF_ERROR(check(metadata, name, folders));
    ASSIGN_OR_RETURN(int64_t first_id, metadata.reserve_producer_ids(1));
    producers_from_ = ProducerId(first_id);
    next_producer_id_ = first_id + 1;
    Status done = copy_all(metadata);
    if (done.ok()) done = publish_all(metadata);
    if (done.ok()) return {};
    Status removed = remove_copies();
    return removed.ok() ? done : done.error().in(removed.error().message + ", after");
  }

  Status copy_all(Metadata& metadata) {
    for (const auto& [name, folders] : topics_) {
      for (const auto& [id, folder] : folders) {
        TopicPartition tp{name, PartitionId(id)};
        Status done = copy(metadata, tp, folder);
        if (!done.ok()) return done.error().in("importing " + to_string(tp));
      }
    }
    return {};
  }

  Status copy(Metadata& metadata, const TopicPartition& tp, const std::string& folder) {
    RETURN_IF_ERROR(os::remove_tree(files_, staging(tp.topic, tp.partition.value)));
    log::LogImport one{.from = folder,
                       .to = staging(tp.topic, tp.partition.value),
                       .log_start = log_start(folder, tp),
                       .producers_from = producers_from_,
                       .abort_open_transactions = options_.abort_open_transactions,
                       .copied = {}};
    if (options_.progress) one.copied = [&](int64_t bytes) { options_.progress(tp, bytes); };
    ASSIGN_OR_RETURN(log::ImportedLog log, log::import_log(files_, clock_, std::move(one)));
    report_.partitions.push_back({tp, log});
    return keep_producer_ids(metadata, log.producer_max);
  }

  Status remove_copies() {
    for (const auto& [name, folders] : topics_) {
      for (const auto& [id, folder] : folders) RETURN_IF_ERROR(os::remove_tree(files_, staging(name, id)));
    }
    return {};
  }

  Status publish_all(Metadata& metadata) {
    // Until all of it is there, they are topics to be deleted: whatever happens, the next start or import clears it up.
    StoredTopics topics = stored_topics(metadata);
    Status done = metadata.put_topics(topics);
    if (done.ok()) done = move_copies();
    if (!done.ok()) return done.error().in("importing");
    for (auto& [name, topic] : topics) topic.deleting = false;
    done = metadata.put_topics(topics);
    if (done.ok()) return {};
    constexpr std::string_view kInDoubt = "importing; the next start finds out whether all topics came in or none";
    return done.error().in(metadata.in_doubt() ? kInDoubt : "importing");
  }

  Status move_copies() {
    for (const auto& [name, folders] : topics_) {
      for (const auto& [id, folder] : folders) {
        RETURN_IF_ERROR(os::remove_tree(files_, target(name, id)));
        RETURN_IF_ERROR(files_.rename(staging(name, id), target(name, id)));
      }
    }
    return files_.sync_directory(options_.data_directory);
  }

  /// As they are while they are coming in.
  StoredTopics stored_topics(const Metadata& metadata) {
    StoredTopics known = metadata.topics(), ours;
    for (const auto& [name, folders] : topics_) {
      StoredTopic topic{.id = topic_id(known, name, folders.begin()->second),
                        .partitions = static_cast<int32_t>(folders.size()),
                        .deleting = true,
                        .configs = options_.configs};
      known[name] = ours[name] = topic;
    }
    return ours;
  }

  /// What wrote here keeps its producer id to itself.
  Status keep_producer_ids(Metadata& metadata, ProducerId largest) {
    if (largest.value < next_producer_id_) return {};
    if (largest > kProducerIdMax) {
      return Error{ErrorCode::kCorrupt, "producer id " + std::to_string(largest.value) + " is none that Kafka gives"};
    }
    auto reserved = metadata.reserve_producer_ids(largest.value + 1 - next_producer_id_);
    if (!reserved.ok()) return reserved.error();
    next_producer_id_ = largest.value + 1;
    return {};
  }

  /// The one that Kafka gave it, unless a copy of it is here already.
  Uuid topic_id(const StoredTopics& all, const std::string& name, const std::string& folder) {
    auto text = os::read_file(files_, folder + "/partition.metadata", kSmallFileBytesMax);
    auto id = text.ok() ? parse_topic_id(as_text(*text)) : std::nullopt;
    bool taken = id && std::any_of(all.begin(), all.end(),
                                   [&](const auto& known) { return known.first != name && known.second.id == *id; });
    return id && !taken ? *id : random_uuid();
  }

  /// log.dirs/log-start-offset-checkpoint: "0\n<count>\n(<topic> <partition> <offset>\n)*".
  Offset log_start(const std::string& folder, const TopicPartition& tp) {
    auto bytes =
        os::read_file(files_, os::parent_directory(folder) + "/log-start-offset-checkpoint", kSmallFileBytesMax);
    if (!bytes.ok()) return kNoOffset;
    std::istringstream lines{std::string(as_text(*bytes))};
    int64_t version = 0, count = 0, offset = 0;
    int32_t partition = 0;
    std::string topic;
    lines >> version >> count;
    while (lines >> topic >> partition >> offset) {
      if (topic == tp.topic && partition == tp.partition.value) return Offset(offset);
    }
    return kNoOffset;
  }

  os::FileSystem& files_;
  os::Clock& clock_;
  TopicImport& options_;
  std::map<std::string, std::unique_ptr<os::FileLock>> locks_;
  std::map<std::string, Folders> topics_;
  ProducerId producers_from_{0};  ///< Lower ids were given out by this instance.
  int64_t next_producer_id_ = 0;
  ImportReport report_;
};

}  // namespace

Result<ImportReport> import_topics(os::FileSystem& files, os::Clock& clock, TopicImport options) {
  return Import(files, clock, options).run();
}

}  // namespace headrace::broker
