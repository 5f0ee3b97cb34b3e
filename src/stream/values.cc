#include "stream/values.h"

#include <arrow/api.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "base/check.h"

namespace headrace::stream {

namespace {

constexpr size_t kArenaChunkBytes = 64 << 10;
/// What 32-bit offsets can address.
constexpr size_t kTextColumnBytesMax = std::numeric_limits<int32_t>::max();

std::shared_ptr<arrow::Buffer> allocate(size_t bytes) {
  auto buffer = arrow::AllocateBuffer(static_cast<int64_t>(bytes), arrow::system_memory_pool());
  CHECK(buffer.ok());
  return *std::move(buffer);
}

/// Bits of the selected bytes; counts the zeros.
std::shared_ptr<arrow::Buffer> pack_bits(const uint8_t* bytes, size_t mask, Selection selection, int64_t* zeros) {
  auto buffer = allocate((selection.count + 7) / 8);
  uint8_t* out = buffer->mutable_data();
  std::memset(out, 0, static_cast<size_t>(buffer->size()));
  int64_t ones = 0;
  for (size_t i = 0; i < selection.count; ++i) {
    uint8_t bit = bytes[selection[i] & mask] != 0;
    out[i >> 3] |= static_cast<uint8_t>(bit << (i & 7));
    ones += bit;
  }
  *zeros = static_cast<int64_t>(selection.count) - ones;
  return buffer;
}

template <typename Rep>
std::shared_ptr<arrow::Buffer> gather(const Values& values, Selection selection) {
  auto buffer = allocate(selection.count * sizeof(Rep));
  auto* out = reinterpret_cast<Rep*>(buffer->mutable_data());
  const Rep* in = data_of<Rep>(values);
  for (size_t i = 0; i < selection.count; ++i) out[i] = in[selection[i] & values.mask];
  return buffer;
}

std::vector<std::shared_ptr<arrow::Buffer>> gather_texts(const Values& values, Selection selection) {
  auto offsets = allocate((selection.count + 1) * sizeof(int32_t));
  auto* offset = reinterpret_cast<int32_t*>(offsets->mutable_data());
  size_t total = 0;
  for (size_t i = 0; i < selection.count; ++i) {
    offset[i] = static_cast<int32_t>(total);
    if (values.is_valid(selection[i])) total += values.texts[selection[i] & values.mask].size();
  }
  CHECK(total <= kTextColumnBytesMax);
  offset[selection.count] = static_cast<int32_t>(total);
  auto data = allocate(total);
  char* out = reinterpret_cast<char*>(data->mutable_data());
  for (size_t i = 0; i < selection.count; ++i) {
    if (!values.is_valid(selection[i])) continue;
    std::string_view text = values.texts[selection[i] & values.mask];
    if (!text.empty()) std::memcpy(out, text.data(), text.size());
    out += text.size();
  }
  return {nullptr, offsets, data};
}

template <typename ArrayType>
Values texts_of(const arrow::Array& array, ValueBuffer& buffer, Type type) {
  const auto& texts = static_cast<const ArrayType&>(array);
  Values& values = buffer.prepare(type, static_cast<size_t>(array.length()));
  auto* out = buffer.data<std::string_view>();
  for (int64_t i = 0; i < array.length(); ++i) out[i] = texts.GetView(i);
  return values;
}

}  // namespace

Values& ValueBuffer::prepare(Type type, size_t rows) {
  rows_ = rows;
  values_ = Values{.type = type};
  switch (type) {
    case Type::kBool:
      if (bools_.size() < rows) bools_.resize(rows);
      values_.bools = bools_.data();
      break;
    case Type::kDouble:
      if (doubles_.size() < rows) doubles_.resize(rows);
      values_.doubles = doubles_.data();
      break;
    case Type::kText:
    case Type::kJson:
      texts_.assign(rows, {});
      values_.texts = texts_.data();
      break;
    case Type::kInt64:
    case Type::kTimestamp:
    case Type::kInterval:
      if (ints_.size() < rows) ints_.resize(rows);
      values_.ints = ints_.data();
      break;
  }
  return values_;
}

uint8_t* ValueBuffer::valid() {
  if (valid_.size() < rows_) valid_.resize(rows_);
  values_.valid = valid_.data();
  return valid_.data();
}

char* TextArena::allocate(size_t size) {
  while (chunk_ < chunks_.size() && used_ + size > chunks_[chunk_].size) {
    ++chunk_;
    used_ = 0;
  }
  if (chunk_ == chunks_.size()) {
    size_t bytes = std::max(size, kArenaChunkBytes);
    chunks_.push_back({std::make_unique_for_overwrite<char[]>(bytes), bytes});
  }
  char* at = chunks_[chunk_].bytes.get() + used_;
  used_ += size;
  return at;
}

void TextArena::reset() {
  chunk_ = 0;
  used_ = 0;
  std::erase_if(chunks_, [](const Chunk& chunk) { return chunk.size > kArenaChunkBytes; });
}

EvalContext::EvalContext(const columns::Schema& schema) {
  for (const auto& column : schema) columns_.emplace_back().type = column.type;
}

EvalContext::~EvalContext() = default;

void EvalContext::bind(const arrow::RecordBatch& batch) {
  CHECK(static_cast<size_t>(batch.num_columns()) == columns_.size());
  batch_ = &batch;
  for (auto& column : columns_) column.bound = false;
  bind_rows(static_cast<size_t>(batch.num_rows()));
}

void EvalContext::bind_rows(size_t rows) {
  rows_ = rows;
  arena_.reset();
  text_bytes_ = 0;
  if (!failures_.empty()) failures_.clear();
}

const Values& EvalContext::column(size_t index) {
  Column& column = columns_[index];
  if (column.bound) return column.values;
  column.bound = true;
  const arrow::Array& array = *batch_->column(static_cast<int>(index));
  switch (column.type) {
    case Type::kBool: {
      const auto& bools = static_cast<const arrow::BooleanArray&>(array);
      column.values = column.buffer.prepare(column.type, rows_);
      auto* out = column.buffer.data<uint8_t>();
      for (size_t i = 0; i < rows_; ++i) out[i] = bools.Value(static_cast<int64_t>(i));
      break;
    }
    case Type::kDouble:
      column.values =
          Values{.type = column.type, .doubles = static_cast<const arrow::DoubleArray&>(array).raw_values()};
      break;
    case Type::kText:
    case Type::kJson: column.values = texts_of<arrow::StringArray>(array, column.buffer, column.type); break;
    case Type::kInt64:
    case Type::kTimestamp:
    case Type::kInterval:
      column.values = Values{.type = column.type, .ints = array.data()->GetValues<int64_t>(1)};
      break;
  }
  if (array.null_count() > 0) {
    if (column.type != Type::kBool && column.type != Type::kText && column.type != Type::kJson) {
      column.buffer.prepare(column.type, rows_);
    }
    uint8_t* valid = column.buffer.valid();
    for (size_t i = 0; i < rows_; ++i) valid[i] = array.IsValid(static_cast<int64_t>(i));
    column.values.valid = valid;
  }
  return column.values;
}

char* EvalContext::text_room(size_t row, size_t size) {
  if (size > kTextBytesMax || text_bytes_ + size > kBatchTextBytesMax) {
    fail(row, fmt::format("a text of {} bytes is over the limit ({} each, {} a batch)", size, kTextBytesMax,
                          kBatchTextBytesMax));
    return nullptr;
  }
  text_bytes_ += size;
  return arena_.allocate(size);
}

void EvalContext::fail(size_t row, std::string reason) {
  if (failures_.empty()) failed_.assign(rows_, 0);
  if (failed_[row]) return;
  failed_[row] = 1;
  failures_.push_back({static_cast<uint32_t>(row), std::move(reason)});
}

std::shared_ptr<arrow::Array> to_array(const Values& values, Selection selection) {
  auto length = static_cast<int64_t>(selection.count);
  int64_t nulls = 0;
  std::shared_ptr<arrow::Buffer> validity;
  if (values.valid) validity = pack_bits(values.valid, values.mask, selection, &nulls);
  std::vector<std::shared_ptr<arrow::Buffer>> buffers;
  int64_t unused = 0;
  switch (values.type) {
    case Type::kBool: buffers = {nullptr, pack_bits(values.bools, values.mask, selection, &unused)}; break;
    case Type::kDouble: buffers = {nullptr, gather<double>(values, selection)}; break;
    case Type::kText:
    case Type::kJson: buffers = gather_texts(values, selection); break;
    case Type::kInt64:
    case Type::kTimestamp:
    case Type::kInterval: buffers = {nullptr, gather<int64_t>(values, selection)}; break;
  }
  if (nulls > 0) buffers[0] = validity;
  return arrow::MakeArray(arrow::ArrayData::Make(columns::to_arrow(values.type), length, std::move(buffers), nulls));
}

}  // namespace headrace::stream
