#include "stream/group_key.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "codec/cursor.h"

namespace headrace::stream {

namespace {

constexpr uint64_t kSignBit = uint64_t{1} << 63;

uint64_t ordered_bits(double value) {
  if (value == 0) value = 0;
  if (std::isnan(value)) value = std::numeric_limits<double>::quiet_NaN();
  auto bits = std::bit_cast<uint64_t>(value);
  return bits & kSignBit ? ~bits : bits | kSignBit;
}

double double_of(uint64_t ordered) {
  return std::bit_cast<double>(ordered & kSignBit ? ordered & ~kSignBit : ~ordered);
}

void append_u64(std::string& key, uint64_t value) {
  value = codec::big_endian(value);
  key.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void append_text(std::string& key, std::string_view text) {
  while (true) {
    size_t zero = text.find('\0');
    key.append(text.substr(0, zero));
    if (zero == std::string_view::npos) break;
    key.append("\x00\xff", 2);
    text.remove_prefix(zero + 1);
  }
  key.append("\x00\x00", 2);
}

/// Takes one text off the front of `key`, in `arena`; false when its end is missing.
bool read_text(std::string_view& key, TextArena& arena, std::string_view& out) {
  char* room = nullptr;
  size_t size = 0;
  for (size_t at = 0; at + 1 < key.size(); ++at) {
    if (key[at] != '\0') continue;
    if (key[at + 1] == '\0') {
      room = arena.allocate(at);
      for (size_t i = 0; i < at; ++i) {
        room[size++] = key[i];
        if (key[i] == '\0') ++i;
      }
      out = {room, size};
      key.remove_prefix(at + 2);
      return true;
    }
    if (key[at + 1] != '\xff') return false;
    ++at;
  }
  return false;
}

}  // namespace

void append_key_part(std::string& key, const Values& values, size_t row) {
  if (!values.is_valid(row)) return key.push_back('\0');
  key.push_back('\1');
  size_t at = row & values.mask;
  switch (values.type) {
    case Type::kBool: return key.push_back(static_cast<char>(values.bools[at]));
    case Type::kDouble: return append_u64(key, ordered_bits(values.doubles[at]));
    case Type::kText:
    case Type::kJson: return append_text(key, values.texts[at]);
    case Type::kInt64:
    case Type::kTimestamp:
    case Type::kInterval: break;
  }
  append_u64(key, static_cast<uint64_t>(values.ints[at]) ^ kSignBit);
}

GroupKeyReader::GroupKeyReader(std::vector<Type> types) {
  for (Type type : types) columns_.emplace_back().type = type;
}

void GroupKeyReader::start(size_t rows) {
  arena_.reset();
  for (auto& column : columns_) {
    column.buffer.prepare(column.type, rows);
    column.valid = column.buffer.valid();
  }
}

bool GroupKeyReader::read(std::string_view key, size_t row) {
  for (auto& column : columns_) {
    if (!read_part(key, column, row)) return false;
  }
  return key.empty();
}

bool GroupKeyReader::read_part(std::string_view& key, Column& column, size_t row) {
  if (key.empty()) return false;
  column.valid[row] = key.front() != 0;
  key.remove_prefix(1);
  if (!column.valid[row]) return true;
  if (column.type == Type::kText || column.type == Type::kJson) {
    return read_text(key, arena_, column.buffer.data<std::string_view>()[row]);
  }
  codec::Reader reader(as_bytes(key));
  if (column.type == Type::kBool) {
    column.buffer.data<uint8_t>()[row] = reader.read<uint8_t>() != 0;
  } else if (column.type == Type::kDouble) {
    column.buffer.data<double>()[row] = double_of(reader.read<uint64_t>());
  } else {
    column.buffer.data<int64_t>()[row] = static_cast<int64_t>(reader.read<uint64_t>() ^ kSignBit);
  }
  key.remove_prefix(key.size() - reader.remaining());
  return reader.ok();
}

}  // namespace headrace::stream
