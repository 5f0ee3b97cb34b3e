// What the broker does by itself when the disk gets full: gives back room that it does not need yet, and deletes the
// oldest records of topics that say on_disk_pressure=drop_oldest.
#pragma once

#include <memory>
#include <vector>

#include "broker/disk_space.h"
#include "broker/topic.h"

namespace headrace::broker {

using TopicRefs = std::vector<std::shared_ptr<const Topic>>;

/// Cuts the preallocated room off every partition's active segment.
void give_back_preallocated(const TopicRefs& topics);

/// Deletes oldest segments of drop_oldest topics, always of the partition that holds most, until the disk is no longer
/// low() or they hold nothing but what is being written. Then their active segments are rolled, for the next call.
/// Returns the bytes deleted.
int64_t drop_oldest(const TopicRefs& topics, DiskSpace& space);

}  // namespace headrace::broker
