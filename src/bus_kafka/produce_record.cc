#include "bus_kafka/internal/produce_record.h"

namespace headrace::bus_kafka {
namespace {

/// sizeof librdkafka's message object, about.
constexpr size_t kRecordOverheadBytes = 256;

rd_kafka_vu_t bytes(rd_kafka_vtype_t type, const std::optional<std::string_view>& text) {
  rd_kafka_vu_t vu;
  vu.vtype = type;
  // An empty value is not a null one: librdkafka tells them apart by the pointer.
  vu.u.mem.ptr = text ? const_cast<char*>(text->data() != nullptr ? text->data() : "") : nullptr;
  vu.u.mem.size = text ? text->size() : 0;
  return vu;
}

rd_kafka_headers_t* copy_headers(const std::vector<record::Header>& headers) {
  rd_kafka_headers_t* copy = rd_kafka_headers_new(headers.size());
  for (const record::Header& h : headers) {
    const char* value = h.value ? (h.value->data() != nullptr ? h.value->data() : "") : nullptr;
    rd_kafka_header_add(copy, h.key.data(), static_cast<ssize_t>(h.key.size()), value,
                        h.value ? static_cast<ssize_t>(h.value->size()) : 0);
  }
  return copy;
}

}  // namespace

rd_kafka_resp_err_t produce_record(rd_kafka_t* handle, rd_kafka_topic_t* topic, PartitionId partition,
                                   const record::RecordView& record, void* opaque) {
  rd_kafka_vu_t vus[8];
  size_t count = 0;
  auto next = [&](rd_kafka_vtype_t type) -> rd_kafka_vu_t& {
    vus[count].vtype = type;
    return vus[count++];
  };
  next(RD_KAFKA_VTYPE_RKT).u.rkt = topic;
  next(RD_KAFKA_VTYPE_PARTITION).u.i32 = partition.value;
  next(RD_KAFKA_VTYPE_MSGFLAGS).u.i = RD_KAFKA_MSG_F_COPY;
  next(RD_KAFKA_VTYPE_TIMESTAMP).u.i64 = record.timestamp_ms;
  next(RD_KAFKA_VTYPE_OPAQUE).u.ptr = opaque;
  vus[count++] = bytes(RD_KAFKA_VTYPE_KEY, record.key);
  vus[count++] = bytes(RD_KAFKA_VTYPE_VALUE, record.value);
  rd_kafka_headers_t* headers = nullptr;
  if (!record.headers.empty()) {
    headers = copy_headers(record.headers);
    next(RD_KAFKA_VTYPE_HEADERS).u.headers = headers;
  }
  Owned<rd_kafka_error_t> error(rd_kafka_produceva(handle, vus, count));
  if (!error) return RD_KAFKA_RESP_ERR_NO_ERROR;
  if (headers != nullptr) rd_kafka_headers_destroy(headers);  // Only a record that was taken takes its headers along.
  return rd_kafka_error_code(error.get());
}

size_t in_flight_bytes(const record::RecordView& record) {
  size_t size =
      kRecordOverheadBytes + (record.key ? record.key->size() : 0) + (record.value ? record.value->size() : 0);
  for (const record::Header& h : record.headers) size += h.key.size() + (h.value ? h.value->size() : 0);
  return size;
}

}  // namespace headrace::bus_kafka
