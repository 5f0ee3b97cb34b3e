#include "sinks/file/rotating_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <vector>

namespace headrace::sinks {
namespace {

constexpr std::string_view kSuffix = ".ndjson";
constexpr std::string_view kOpenSuffix = ".ndjson.open";
constexpr size_t kTimeSize = std::string_view("20261121T055200.123Z").size();
/// How much is read at a time to find the last whole line.
constexpr uint64_t kTailBytes = 64 << 10;

std::string format_time(int64_t ms) {
  std::chrono::sys_time<std::chrono::milliseconds> time{std::chrono::milliseconds(ms)};
  auto day = std::chrono::floor<std::chrono::days>(time);
  std::chrono::year_month_day date(day);
  std::chrono::hh_mm_ss clock(time - day);
  return fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count(), clock.subseconds().count());
}

std::optional<int64_t> parse_time(std::string_view text) {
  if (text.size() != kTimeSize || text[8] != 'T' || text[15] != '.' || text[19] != 'Z') return std::nullopt;
  auto number = [&](size_t at, size_t size) {
    int value = -1;
    auto [end, error] = std::from_chars(text.data() + at, text.data() + at + size, value);
    return error == std::errc() && end == text.data() + at + size ? value : -1;
  };
  namespace chrono = std::chrono;
  int parts[] = {number(0, 4), number(4, 2), number(6, 2), number(9, 2), number(11, 2), number(13, 2), number(16, 3)};
  if (std::any_of(std::begin(parts), std::end(parts), [](int p) { return p < 0; })) return std::nullopt;
  chrono::year_month_day date{chrono::year(parts[0]), chrono::month(static_cast<unsigned>(parts[1])),
                              chrono::day(static_cast<unsigned>(parts[2]))};
  if (!date.ok()) return std::nullopt;
  auto time = chrono::sys_days(date) + chrono::hours(parts[3]) + chrono::minutes(parts[4]) + chrono::seconds(parts[5]) +
              chrono::milliseconds(parts[6]);
  return chrono::duration_cast<chrono::milliseconds>(time.time_since_epoch()).count();
}

/// The size of `file` without a last line that has no end.
Result<uint64_t> whole_lines(os::File& file) {
  ASSIGN_OR_RETURN(uint64_t end, file.size());
  Bytes buffer(kTailBytes);
  while (end > 0) {
    uint64_t begin = end - std::min(end, kTailBytes);
    ASSIGN_OR_RETURN(size_t read, file.read_at(begin, std::span(buffer).first(end - begin)));
    std::string_view text = as_text(BytesView(buffer).first(read));
    if (size_t newline = text.rfind('\n'); newline != std::string_view::npos) return begin + newline + 1;
    end = begin;
  }
  return uint64_t{0};
}

}  // namespace

RotatingFile::RotatingFile(RotatingFileOptions options, os::FileSystem& files, os::Clock& clock)
    : options_(std::move(options)), files_(&files), clock_(&clock) {}

Result<RotatingFile> RotatingFile::open(RotatingFileOptions options, os::FileSystem& files, os::Clock& clock) {
  RotatingFile file(std::move(options), files, clock);
  RETURN_IF_ERROR(os::make_directories_durably(files, file.options_.directory));
  RETURN_IF_ERROR(file.resume());
  return file;
}

/// Takes up the newest open file; older ones, left by a crash amid a rotation, get their final name.
Status RotatingFile::resume() {
  ASSIGN_OR_RETURN(std::vector<std::string> names, files_->list(options_.directory));
  std::vector<std::string> times;
  const size_t prefix_size = options_.prefix.size() + 1;
  for (std::string_view name : names) {
    if (name.size() != prefix_size + kTimeSize + kOpenSuffix.size()) continue;
    if (!name.starts_with(options_.prefix + "-") || !name.ends_with(kOpenSuffix)) continue;
    std::string_view time = name.substr(prefix_size, kTimeSize);
    if (parse_time(time)) times.emplace_back(time);
  }
  for (const std::string& time : times) {
    if (file_) RETURN_IF_ERROR(rotate());
    ASSIGN_OR_RETURN(file_, files_->open(path_of(time, true), os::OpenMode::kReadWrite));
    time_ = time;
    started_ms_ = *parse_time(time);
    ASSIGN_OR_RETURN(size_, whole_lines(*file_));
    RETURN_IF_ERROR(file_->truncate(size_));
    RETURN_IF_ERROR(file_->sync());
  }
  return {};
}

Status RotatingFile::create() {
  // Two files never share a name, whatever the wall clock does.
  for (int64_t ms = clock_->wall_ms();; ++ms) {
    std::string time = format_time(ms);
    ASSIGN_OR_RETURN(bool open, files_->exists(path_of(time, true)));
    ASSIGN_OR_RETURN(bool closed, files_->exists(path_of(time, false)));
    if (open || closed) continue;
    ASSIGN_OR_RETURN(file_, files_->open(path_of(time, true), os::OpenMode::kCreate));
    time_ = time;
    started_ms_ = ms;
    size_ = 0;
    if (auto status = files_->sync_directory(options_.directory); !status.ok()) {
      file_.reset();
      return status;
    }
    return {};
  }
}

Status RotatingFile::append(std::string_view lines) {
  if (lines.empty()) return {};
  RETURN_IF_ERROR(rotate_when_due());
  if (file_ && size_ > 0 && size_ + lines.size() > options_.bytes_max) RETURN_IF_ERROR(rotate());
  if (!file_) RETURN_IF_ERROR(create());
  if (auto status = file_->write_at(size_, as_bytes(lines)); !status.ok()) return cut_back(status.error());
  if (auto status = file_->sync(); !status.ok()) {
    // What a failed sync left behind is unknown and a second one would lie: this file takes no more.
    Error error = status.error();
    if (auto cut = file_->truncate(size_); !cut.ok()) error = error.in("and cutting it back: " + cut.error().message);
    if (auto aside = rotate(); !aside.ok()) file_.reset();
    return error;
  }
  size_ += lines.size();
  return {};
}

/// After a failed write: the file as it was before, so that no part of a line stays; if that fails too, a new file.
Status RotatingFile::cut_back(const Error& error) {
  if (auto cut = file_->truncate(size_); !cut.ok()) {
    if (auto aside = rotate(); !aside.ok()) file_.reset();
  }
  return error;
}

Status RotatingFile::rotate_when_due() {
  if (!file_ || clock_->wall_ms() - started_ms_ < options_.age_max.count()) return {};
  return rotate();
}

Status RotatingFile::rotate() {
  std::string from = path_of(time_, true), to = path_of(time_, false);
  RETURN_IF_ERROR(size_ > 0 ? files_->rename(from, to) : files_->remove(from));
  file_.reset();
  return files_->sync_directory(options_.directory);
}

std::string RotatingFile::path_of(const std::string& time, bool open) const {
  return fmt::format("{}/{}-{}{}", options_.directory, options_.prefix, time, open ? kOpenSuffix : kSuffix);
}

std::string RotatingFile::open_path() const { return file_ ? path_of(time_, true) : ""; }

}  // namespace headrace::sinks
