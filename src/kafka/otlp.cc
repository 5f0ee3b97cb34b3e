#include "kafka/otlp.h"

#include <bit>
#include <optional>

#include "codec/cursor.h"

// What is read of opentelemetry/proto/metrics/v1/metrics.proto, by field number:
//
//   MetricsData     resource_metrics = 1
//   ResourceMetrics resource = 1, scope_metrics = 2
//   Resource        attributes = 1
//   ScopeMetrics    metrics = 2
//   Metric          name = 1, gauge = 5, sum = 7
//   Gauge           data_points = 1
//   Sum             data_points = 1, aggregation_temporality = 2 (1: delta)
//   NumberDataPoint as_double = 4, as_int = 6, attributes = 7
//   KeyValue        key = 1, value = 2
//   AnyValue        string = 1, bool = 2, int = 3, double = 4

namespace headrace::kafka {
namespace {

enum class Wire : uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

struct ProtoField {
  uint64_t number = 0;
  Wire wire = Wire::kVarint;
  uint64_t number_value = 0;  ///< Of a varint or fixed field.
  BytesView bytes;            ///< Of a length-delimited one.
};

/// The fields of one message, one after the other; nothing at the end or at a mistake.
class ProtoReader {
 public:
  explicit ProtoReader(BytesView bytes) : reader_(bytes) {}
  bool ok() const { return reader_.ok(); }

  std::optional<ProtoField> next() {
    if (!reader_.ok() || reader_.remaining() == 0) return std::nullopt;
    uint64_t tag = reader_.read_unsigned_varint();
    ProtoField field{tag >> 3, static_cast<Wire>(tag & 7), 0, {}};
    switch (field.wire) {
      case Wire::kVarint: field.number_value = reader_.read_unsigned_varint(); break;
      case Wire::kFixed64: field.number_value = codec::big_endian(reader_.read<uint64_t>()); break;  // Little-endian.
      case Wire::kFixed32: field.number_value = codec::big_endian(reader_.read<uint32_t>()); break;
      case Wire::kBytes: {
        uint64_t size = reader_.read_unsigned_varint();
        if (size > reader_.remaining()) reader_.fail();
        field.bytes = reader_.read_bytes(static_cast<size_t>(size));
        break;
      }
      default: reader_.fail();
    }
    if (!reader_.ok()) return std::nullopt;
    return field;
  }

 private:
  codec::Reader reader_;
};

class Decoder {
 public:
  explicit Decoder(const OtlpLimits& limits) : limits_(limits) {}

  Result<std::vector<OtlpPoint>> run(BytesView bytes) {
    each(bytes, 1, [&](BytesView resource_metrics) { read_resource_metrics(resource_metrics); });
    if (too_large_) return Error{ErrorCode::kTooLarge, "client metrics: more than the limits allow"};
    if (corrupt_) return Error{ErrorCode::kCorrupt, "client metrics: not an OTLP message"};
    return std::move(points_);
  }

 private:
  using Attributes = std::map<std::string, std::string>;

  /// Calls `visit` with every message field of this number.
  template <typename Visit>
  void each(BytesView bytes, uint64_t number, Visit visit) {
    ProtoReader reader(bytes);
    while (auto field = good() ? reader.next() : std::nullopt) {
      if (field->number == number && field->wire == Wire::kBytes) visit(field->bytes);
    }
    if (!reader.ok()) corrupt_ = true;
  }
  bool good() const { return !corrupt_ && !too_large_; }

  std::string text(BytesView bytes) {
    if (bytes.size() > limits_.text_bytes_max) too_large_ = true;
    return good() ? std::string(as_text(bytes)) : std::string();
  }

  void read_resource_metrics(BytesView bytes) {
    Attributes resource;
    each(bytes, 1,
         [&](BytesView one) { each(one, 1, [&](BytesView attribute) { read_attribute(attribute, resource); }); });
    each(bytes, 2, [&](BytesView scope) { each(scope, 2, [&](BytesView metric) { read_metric(metric, resource); }); });
  }

  void read_attribute(BytesView bytes, Attributes& out) {
    std::string key, value;
    each(bytes, 1, [&](BytesView one) { key = text(one); });
    each(bytes, 2, [&](BytesView any) { value = read_any(any); });
    out[key] = value;
    if (out.size() > limits_.attributes_max) too_large_ = true;
  }

  std::string read_any(BytesView bytes) {
    std::string value;
    ProtoReader reader(bytes);
    while (auto field = reader.next()) {
      if (field->number == 1 && field->wire == Wire::kBytes) value = text(field->bytes);
      if (field->number == 2) value = field->number_value ? "true" : "false";
      if (field->number == 3) value = std::to_string(static_cast<int64_t>(field->number_value));
      if (field->number == 4) value = std::to_string(std::bit_cast<double>(field->number_value));
    }
    if (!reader.ok()) corrupt_ = true;
    return value;
  }

  void read_metric(BytesView bytes, const Attributes& resource) {
    OtlpPoint prototype;
    each(bytes, 1, [&](BytesView name) { prototype.name = text(name); });
    prototype.attributes = resource;
    each(bytes, 5, [&](BytesView gauge) { each(gauge, 1, [&](BytesView point) { read_point(point, prototype); }); });
    each(bytes, 7, [&](BytesView sum) {
      prototype.is_sum = true;
      prototype.is_delta = temporality(sum) == 1;
      each(sum, 1, [&](BytesView point) { read_point(point, prototype); });
    });
  }

  uint64_t temporality(BytesView sum) {
    ProtoReader reader(sum);
    uint64_t value = 0;
    while (auto field = reader.next()) {
      if (field->number == 2 && field->wire == Wire::kVarint) value = field->number_value;
    }
    if (!reader.ok()) corrupt_ = true;
    return value;
  }

  void read_point(BytesView bytes, const OtlpPoint& prototype) {
    if (points_.size() >= limits_.points_max) too_large_ = true;
    if (!good()) return;
    OtlpPoint point = prototype;
    ProtoReader reader(bytes);
    while (auto field = reader.next()) {
      if (field->wire == Wire::kFixed64 && field->number == 4) point.value = std::bit_cast<double>(field->number_value);
      if (field->wire == Wire::kFixed64 && field->number == 6) {
        point.value = static_cast<double>(static_cast<int64_t>(field->number_value));
      }
      if (field->wire == Wire::kBytes && field->number == 7) read_attribute(field->bytes, point.attributes);
    }
    if (!reader.ok()) corrupt_ = true;
    points_.push_back(std::move(point));
  }

  const OtlpLimits& limits_;
  std::vector<OtlpPoint> points_;
  bool corrupt_ = false;
  bool too_large_ = false;
};

}  // namespace

Result<std::vector<OtlpPoint>> decode_otlp(BytesView bytes, const OtlpLimits& limits) {
  return Decoder(limits).run(bytes);
}

}  // namespace headrace::kafka
