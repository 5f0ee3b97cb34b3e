// Reads partitions over one link with one fetch after the other, as a consumer does.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "app/bench/kafka_link.h"
#include "wire/kafka/messages/01_fetch.h"

namespace headrace::app {

/// The positions of one consumer and the fetch that asks for what is behind them.
class FetchReader {
 public:
  struct Partition {
    int32_t index;
    int64_t next;
    int64_t end;  ///< Where to stop; INT64_MAX: never.
  };
  struct Limits {
    int32_t fetch_bytes_max = 50 << 20;
    int32_t partition_bytes_max = 1 << 20;
    int32_t max_wait_ms = 500;
  };

  FetchReader(std::string topic, std::vector<Partition> partitions, Limits limits)
      : topic_(std::move(topic)), partitions_(std::move(partitions)), limits_(limits) {}

  /// The next fetch; empty when all partitions are at their ends.
  SharedBytes next_fetch() const;
  /// Takes a response in and moves the positions: `batch` gets each whole batch behind them. Records that were read.
  Result<int64_t> read(BytesView response, Function<void(BytesView batch)>* batch = nullptr);

 private:
  Result<int64_t> read_batches(BytesView bytes, Partition& partition, Function<void(BytesView batch)>* batch);

  std::string topic_;
  std::vector<Partition> partitions_;
  Limits limits_;
};

}  // namespace headrace::app
