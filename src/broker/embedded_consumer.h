// The embedded bus's consumer: reads partitions in place, waits without polling.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "broker/broker.h"
#include "bus/bus.h"

namespace headrace::broker {

/// One thread at a time, wake() excepted. Nothing is fetched ahead: the caller's next poll() is the back-pressure.
class EmbeddedConsumer final : public bus::Consumer {
 public:
  EmbeddedConsumer(Broker& broker, bus::ConsumerOptions options) : broker_(broker), options_(std::move(options)) {}

  Status assign(std::vector<bus::Position> positions) override;
  Result<bus::PollResult> poll(std::chrono::milliseconds timeout) override;
  void wake() override;
  std::vector<TopicPartition> deleted() const override;

 private:
  struct Assigned {
    std::shared_ptr<Partition> partition;
    Offset next;
    Offset seen_end;  ///< The readable end as of the last read.
  };
  /// What a waiter's callback touches; it may run after the consumer is gone.
  struct Signal {
    std::mutex mutex;
    std::condition_variable changed;
    bool ready = false;
    bool woken = false;
  };

  Status read_all(bus::PollResult& result);
  Status read(Assigned& assigned, size_t& bytes_left, bus::PollResult& result);
  Status skip_unreadable(Assigned& assigned, const Error& error, bus::PollResult& result);
  Status set_back(Assigned& assigned, bus::PollResult& result);
  void deliver(const TopicPartition& tp, const FetchedData& data, Offset from, bus::PollResult& result);
  /// False at the deadline or after a wake().
  bool wait_until(std::chrono::steady_clock::time_point deadline);

  Broker& broker_;
  const bus::ConsumerOptions options_;
  std::vector<Assigned> assigned_;
  size_t first_ = 0;  ///< Who is read first; goes round so that nobody starves.
  std::shared_ptr<Signal> signal_ = std::make_shared<Signal>();
};

}  // namespace headrace::broker
