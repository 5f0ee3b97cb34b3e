// Writes records as lines of JSON into files that are put aside by size and age. A line is on the disk before its
// record is answered for; a crash between the two doubles lines, it never loses any.
#include <fmt/format.h>

#include "base/logging.h"
#include "flow/sink.h"
#include "os/clock.h"
#include "os/file.h"
#include "sinks/file/envelope.h"
#include "sinks/file/rotating_file.h"
#include "sinks/json_text.h"
#include "sinks/sinks.h"

namespace headrace::sinks {
namespace {

using flow::OptionType;
using flow::SinkRecord;
using flow::WriteAnswer;
using Outcome = flow::WriteAnswer::Outcome;

constexpr std::string_view kContents[] = {"value", "record"};
constexpr flow::OptionSpec kOptions[] = {
    {.name = "path", .required = true, .help = "The directory; it is created where it does not exist."},
    {.name = "prefix", .help = "How the files' names begin; the sink's name where absent."},
    {.name = "content",
     .type = OptionType::kChoice,
     .fallback = "value",
     .choices = kContents,
     .help = "What a line holds: the value, which must be JSON then, or the whole record with topic, offset and key."},
    {.name = "size_max",
     .type = OptionType::kSize,
     .fallback = "64MiB",
     .min = 1,
     .help = "A file is put aside before it grows over this."},
    {.name = "age_max",
     .type = OptionType::kDuration,
     .fallback = "1h",
     .min = 1,
     .help = "A file is put aside when its first line is as old."},
};

class FileSink final : public flow::Sink {
 public:
  FileSink(RotatingFile file, std::string directory, bool whole_records)
      : file_(std::move(file)), directory_(std::move(directory)), whole_records_(whole_records) {}

  Result<std::vector<WriteAnswer>> write(std::span<const SinkRecord> records) override {
    std::vector<WriteAnswer> answers(records.size());
    lines_.clear();
    for (size_t i = 0; i < records.size(); ++i) {
      if (auto status = append_line(records[i]); !status.ok()) {
        answers[i] = {Outcome::kRejected, status.error().message, {}};
      }
    }
    if (auto status = file_.append(lines_); !status.ok()) {
      for (WriteAnswer& answer : answers) {
        if (answer.outcome == Outcome::kWritten) answer = {Outcome::kRetry, status.error().message, {}};
      }
    }
    return answers;
  }

  /// A rotation that fails now is tried again later; nothing is lost meanwhile.
  Status idle() override {
    if (auto status = file_.rotate_when_due(); !status.ok())
      log_warn("file sink in {}: {}", directory_, status.error().message);
    return {};
  }

  std::string destination() const override { return "files in " + directory_; }

 private:
  Status append_line(const SinkRecord& record) {
    if (whole_records_) {
      append_envelope(record, json_, lines_);
    } else if (!record.record.value) {
      return Error{ErrorCode::kInvalidArgument, "the value is null; 'content: record' writes such records too"};
    } else {
      RETURN_IF_ERROR(json_.append_value(*record.record.value, lines_));
    }
    lines_ += '\n';
    return {};
  }

  RotatingFile file_;
  const std::string directory_;
  const bool whole_records_;
  JsonText json_;
  std::string lines_;  ///< Reused.
};

Result<std::unique_ptr<flow::Sink>> make(const flow::Options& options, const flow::SinkContext& context) {
  std::string prefix = options.has("prefix") ? options.text("prefix") : context.name;
  if (prefix.empty() || prefix.find('/') != std::string::npos) {
    return Error{ErrorCode::kInvalidArgument, fmt::format("prefix '{}': a file name without '/' is allowed", prefix)};
  }
  RotatingFileOptions file{.directory = options.text("path"),
                           .prefix = std::move(prefix),
                           .bytes_max = static_cast<uint64_t>(options.integer("size_max")),
                           .age_max = options.duration("age_max")};
  std::string directory = file.directory;
  ASSIGN_OR_RETURN(RotatingFile opened,
                   RotatingFile::open(std::move(file), os::real_file_system(), os::system_clock()));
  return std::unique_ptr<flow::Sink>(
      std::make_unique<FileSink>(std::move(opened), std::move(directory), options.text("content") == "record"));
}

}  // namespace

const flow::SinkComponent& file_sink() {
  static const flow::SinkComponent component{
      {"file", "Writes records as lines of JSON into files that are put aside by size and age.", kOptions}, &make};
  return component;
}

}  // namespace headrace::sinks
