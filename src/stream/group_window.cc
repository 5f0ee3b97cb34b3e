#include "stream/group_window.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>

#include "base/check.h"
#include "codec/cursor.h"

namespace headrace::stream {

namespace {

constexpr uint8_t kStateVersion = 1;
constexpr size_t kSlotsMin = 64;

/// Multiplies and folds eight bytes at a time. The table is private to the process: the function may change.
uint64_t hash_of(std::string_view key) {
  constexpr uint64_t kFactor = 0x9e3779b97f4a7c15;
  uint64_t hash = key.size() * kFactor;
  auto mix = [&](uint64_t word) {
    auto product = static_cast<unsigned __int128>(hash ^ word) * kFactor;
    hash = static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  };
  while (key.size() >= sizeof(uint64_t)) {
    uint64_t word;
    std::memcpy(&word, key.data(), sizeof word);
    mix(word);
    key.remove_prefix(sizeof word);
  }
  uint64_t tail = 0;
  if (!key.empty()) std::memcpy(&tail, key.data(), key.size());
  mix(tail);
  mix(kFactor);
  return hash;
}

bool keeps_double(const AccumulatorLayout::Call& call) { return call.type == Type::kDouble; }

bool keeps_value(const AccumulatorLayout::Call& call) {
  return call.function != sql::AggregateFunction::kCountRows && call.function != sql::AggregateFunction::kCount;
}

}  // namespace

AccumulatorLayout::AccumulatorLayout(const sql::Aggregate& aggregate) {
  for (const auto& call : aggregate.calls) {
    Call entry{call.function, call.arg ? call.arg->type : Type::kInt64};
    bool is_text = entry.type == Type::kText || entry.type == Type::kJson;
    if (is_text && keeps_value(entry)) entry.text = static_cast<int>(texts++);
    calls.push_back(entry);
  }
}

size_t GroupWindow::slot_of(std::string_view wanted, uint64_t hash) const {
  size_t mask = slots_.size() - 1;
  size_t slot = hash & mask;
  while (slots_[slot] != 0) {
    const Group& group = groups_[slots_[slot] - 1];
    if (group.hash == hash && key(slots_[slot] - 1) == wanted) break;
    slot = (slot + 1) & mask;
  }
  return slot;
}

uint32_t GroupWindow::find(std::string_view key) const {
  if (slots_.empty()) return kNone;
  return slots_[slot_of(key, hash_of(key))] - 1;
}

uint32_t GroupWindow::insert(std::string_view key) {
  if ((groups_.size() + 1) * 3 > slots_.size() * 2) grow();
  uint64_t hash = hash_of(key);
  size_t slot = slot_of(key, hash);
  CHECK(slots_[slot] == 0);
  groups_.push_back({hash, keys_.size(), static_cast<uint32_t>(key.size())});
  slots_[slot] = size();
  keys_.append(key);
  accumulators_.resize(accumulators_.size() + layout_->calls.size());
  texts_.resize(texts_.size() + layout_->texts);
  return size() - 1;
}

void GroupWindow::grow() {
  slots_.assign(std::max(kSlotsMin, slots_.size() * 2), 0);
  size_t mask = slots_.size() - 1;
  for (uint32_t group = 0; group < size(); ++group) {
    size_t slot = groups_[group].hash & mask;
    while (slots_[slot] != 0) slot = (slot + 1) & mask;
    slots_[slot] = group + 1;
  }
}

std::string_view GroupWindow::key(uint32_t group) const {
  return std::string_view(keys_).substr(groups_[group].key_offset, groups_[group].key_size);
}

size_t GroupWindow::bytes_of(uint32_t group) const {
  size_t bytes = groups_[group].key_size;
  for (size_t i = 0; i < layout_->texts; ++i) bytes += texts_[group * layout_->texts + i].size();
  return bytes;
}

void GroupWindow::set_text(uint32_t group, int index, std::string_view value) {
  std::string& text = texts_[group * layout_->texts + static_cast<size_t>(index)];
  text_bytes_ += value.size();
  text_bytes_ -= text.size();
  if (value.size() < text.capacity() / 2) {
    std::string(value).swap(text);  // What a longer text took is given back.
  } else {
    text = value;
  }
}

void GroupWindow::touch(uint32_t group) {
  if (groups_[group].touched) return;
  groups_[group].touched = true;
  touched_.push_back(group);
}

void GroupWindow::clear_touched() {
  for (uint32_t group : touched_) {
    groups_[group].touched = false;
    groups_[group].written = true;
  }
  touched_.clear();
}

std::vector<uint32_t> GroupWindow::in_key_order() const {
  std::vector<uint32_t> order(groups_.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::sort(order, {}, [this](uint32_t group) { return key(group); });
  return order;
}

size_t GroupWindow::bytes() const {
  return sizeof(GroupWindow) + slots_.capacity() * sizeof(uint32_t) + groups_.capacity() * sizeof(Group) +
         keys_.capacity() + accumulators_.capacity() * sizeof(Accumulator) + texts_.capacity() * sizeof(std::string) +
         text_bytes_ + groups_.capacity() * sizeof(uint32_t);
}

void GroupWindow::write_state(uint32_t group, Bytes& out) const {
  codec::Writer writer(out);
  writer.write<uint8_t>(kStateVersion);
  const Accumulator* accumulator = accumulators(group);
  for (const auto& call : layout_->calls) {
    writer.write_unsigned_varint(static_cast<uint64_t>(accumulator->count));
    if (keeps_value(call) && accumulator->count > 0) {
      if (call.text >= 0) {
        const std::string& value = text(group, call.text);
        writer.write_unsigned_varint(value.size());
        writer.write_text(value);
      } else if (keeps_double(call)) {
        writer.write(std::bit_cast<uint64_t>(accumulator->real));
      } else {
        writer.write(accumulator->whole);
      }
    }
    ++accumulator;
  }
}

Status GroupWindow::read_state(uint32_t group, BytesView state) {
  codec::Reader reader(state);
  if (reader.read<uint8_t>() != kStateVersion) return Error{ErrorCode::kCorrupt, "group state of an unknown version"};
  Accumulator* accumulator = accumulators(group);
  for (const auto& call : layout_->calls) {
    *accumulator = {};
    accumulator->count = static_cast<int64_t>(reader.read_unsigned_varint());
    if (keeps_value(call) && accumulator->count > 0) {
      if (call.text >= 0) {
        uint64_t size = reader.read_unsigned_varint();
        set_text(group, call.text, reader.read_text(size));
      } else if (keeps_double(call)) {
        accumulator->real = std::bit_cast<double>(reader.read<uint64_t>());
      } else {
        accumulator->whole = reader.read<int64_t>();
      }
    }
    ++accumulator;
  }
  if (!reader.ok() || reader.remaining() != 0) return Error{ErrorCode::kCorrupt, "group state of another shape"};
  return {};
}

}  // namespace headrace::stream
