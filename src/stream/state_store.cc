#include "stream/state_store.h"

#include <fmt/format.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <filesystem>

#include "base/logging.h"
#include "codec/cursor.h"

namespace headrace::stream {

namespace {

/// Sorts before every key of the state, whose first byte is a letter.
constexpr std::string_view kMarkKey{"\0mark", 5};
constexpr size_t kBlockCacheBytes = 8 << 20;
constexpr size_t kWriteBufferBytes = 4 << 20;

rocksdb::Slice slice(std::string_view text) { return {text.data(), text.size()}; }
rocksdb::Slice slice(BytesView bytes) { return slice(as_text(bytes)); }

Error error_of(const rocksdb::Status& status, std::string_view path, std::string_view doing) {
  ErrorCode code = status.IsCorruption() ? ErrorCode::kCorrupt
                   : status.IsNoSpace()  ? ErrorCode::kOutOfSpace
                                         : ErrorCode::kIo;
  bool locked = status.IsIOError() && status.ToString().find("lock") != std::string::npos;
  if (locked) code = ErrorCode::kUnavailable;
  return {code, fmt::format("{} state store {}: {}", doing, path, status.ToString())};
}

rocksdb::Options small_options() {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.write_buffer_size = kWriteBufferBytes;
  options.max_write_buffer_number = 2;
  options.max_background_jobs = 1;
  options.max_open_files = 64;
  options.keep_log_file_num = 1;
  options.info_log_level = rocksdb::ERROR_LEVEL;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(kBlockCacheBytes, 0);
  table.cache_index_and_filter_blocks = true;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

rocksdb::WriteOptions without_log() {
  rocksdb::WriteOptions options;
  options.disableWAL = true;
  return options;
}

/// Nothing where there is none yet.
std::optional<StateStore::Mark> decode_mark(std::string_view bytes) {
  codec::Reader reader(as_bytes(bytes));
  Offset changelog(reader.read<int64_t>());
  auto written_ms = reader.read<int64_t>();
  if (!reader.ok()) return std::nullopt;
  return StateStore::Mark{changelog, written_ms};
}

}  // namespace

struct StateBatch::Impl {
  rocksdb::WriteBatch batch;
};

StateBatch::StateBatch() : impl_(std::make_unique<Impl>()) {}
StateBatch::~StateBatch() = default;
StateBatch::StateBatch(StateBatch&&) noexcept = default;
StateBatch& StateBatch::operator=(StateBatch&&) noexcept = default;
void StateBatch::put(std::string_view key, BytesView value) { impl_->batch.Put(slice(key), slice(value)); }
void StateBatch::remove(std::string_view key) { impl_->batch.Delete(slice(key)); }
void StateBatch::clear() { impl_->batch.Clear(); }
bool StateBatch::empty() const { return impl_->batch.Count() == 0; }
size_t StateBatch::bytes() const { return impl_->batch.GetDataSize(); }

struct StateStore::Impl {
  std::string path;
  std::unique_ptr<rocksdb::DB> db;
  std::optional<Mark> mark;
};

StateStore::StateStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
StateStore::~StateStore() = default;

Result<std::unique_ptr<StateStore>> StateStore::open(std::string path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return Error{ErrorCode::kIo, fmt::format("creating folder {}: {}", path, error.message())};
  rocksdb::DB* db = nullptr;
  rocksdb::Status status = rocksdb::DB::Open(small_options(), path, &db);
  if (status.IsCorruption() || status.IsInvalidArgument()) {
    log_warn("state store {} is damaged ({}); it is rebuilt from the changelog", path, status.ToString());
    RETURN_IF_ERROR(set_aside(path));
    status = rocksdb::DB::Open(small_options(), path, &db);
  }
  if (!status.ok()) return error_of(status, path, "opening");
  auto impl = std::make_unique<Impl>();
  impl->path = std::move(path);
  impl->db.reset(db);
  auto store = std::unique_ptr<StateStore>(new StateStore(std::move(impl)));
  ASSIGN_OR_RETURN(auto mark, store->get(kMarkKey));
  store->impl_->mark = decode_mark(mark.value_or(""));
  return store;
}

Status StateStore::set_aside(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path + ".damaged", error);
  std::filesystem::rename(path, path + ".damaged", error);
  if (error) return Error{ErrorCode::kIo, fmt::format("moving {} aside: {}", path, error.message())};
  return {};
}

Status StateStore::write(StateBatch& batch, Offset changelog, int64_t now_ms) {
  Bytes mark;
  codec::Writer writer(mark);
  writer.write(changelog.value);
  writer.write(now_ms);
  batch.put(kMarkKey, mark);
  rocksdb::Status status = impl_->db->Write(without_log(), &batch.impl_->batch);
  if (!status.ok()) return error_of(status, impl_->path, "writing to");
  impl_->mark = Mark{changelog, now_ms};
  return {};
}

std::optional<StateStore::Mark> StateStore::mark() const { return impl_->mark; }

Result<std::optional<std::string>> StateStore::get(std::string_view key) const {
  std::string value;
  rocksdb::Status status = impl_->db->Get(rocksdb::ReadOptions(), slice(key), &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  if (!status.ok()) return error_of(status, impl_->path, "reading");
  return std::optional<std::string>(std::move(value));
}

Status StateStore::scan(Function<Status(std::string_view, BytesView)> visit) const {
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  std::unique_ptr<rocksdb::Iterator> it(impl_->db->NewIterator(options));
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    std::string_view key(it->key().data(), it->key().size());
    if (key == kMarkKey) continue;
    RETURN_IF_ERROR(visit(key, as_bytes({it->value().data(), it->value().size()})));
  }
  if (!it->status().ok()) return error_of(it->status(), impl_->path, "reading");
  return {};
}

Status StateStore::clear() {
  std::string path = impl_->path;
  impl_->db.reset();
  impl_->mark.reset();
  rocksdb::Status status = rocksdb::DestroyDB(path, small_options());
  rocksdb::DB* db = nullptr;
  if (status.ok()) status = rocksdb::DB::Open(small_options(), path, &db);
  if (!status.ok()) return error_of(status, path, "clearing");
  impl_->db.reset(db);
  return {};
}

Status StateStore::flush() {
  rocksdb::Status status = impl_->db->Flush(rocksdb::FlushOptions());
  if (!status.ok()) return error_of(status, impl_->path, "flushing");
  return {};
}

}  // namespace headrace::stream
