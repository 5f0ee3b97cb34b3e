#include "broker/disk_relief.h"

#include <queue>

#include "base/logging.h"
#include "base/units.h"

namespace headrace::broker {
namespace {

struct Candidate {
  int64_t bytes;
  std::shared_ptr<Partition> partition;
  friend bool operator<(const Candidate& a, const Candidate& b) { return a.bytes < b.bytes; }
};

std::priority_queue<Candidate> candidates(const TopicRefs& topics) {
  std::priority_queue<Candidate> found;
  for (const auto& topic : topics) {
    if (topic->partitions.empty() || !topic->partitions[0]->config().drops_oldest) continue;
    for (const auto& partition : topic->partitions) found.push({partition->log().size_bytes(), partition});
  }
  return found;
}

}  // namespace

void give_back_preallocated(const TopicRefs& topics) {
  for (const auto& topic : topics) {
    for (const auto& partition : topic->partitions) partition->give_back_room();
  }
}

int64_t drop_oldest(const TopicRefs& topics, DiskSpace& space) {
  int64_t dropped = 0;
  for (auto queue = candidates(topics); !queue.empty() && space.low();) {
    Candidate largest = queue.top();
    queue.pop();
    int64_t bytes = largest.partition->drop_oldest_segment();
    if (bytes == 0) continue;
    dropped += bytes;
    log_info("{}: the oldest {} are deleted, as the disk is nearly full (on_disk_pressure=drop_oldest)",
             to_string(largest.partition->tp()), format_size(bytes));
    largest.bytes -= bytes;
    queue.push(std::move(largest));
    space.look();
  }
  space.count_dropped(dropped);
  return dropped;
}

}  // namespace headrace::broker
