// The topic objects of one client, by name.
#pragma once

#include <librdkafka/rdkafka.h>

#include <functional>
#include <map>
#include <mutex>
#include <string>

#include "bus_kafka/internal/handle.h"

namespace headrace::bus_kafka {

/// Thread-safe. Destroyed before its handle.
class TopicHandles {
 public:
  rd_kafka_topic_t* get(rd_kafka_t* handle, const std::string& name) {
    std::lock_guard lock(mutex_);
    Owned<rd_kafka_topic_t>& topic = topics_[name];
    if (!topic) topic.reset(rd_kafka_topic_new(handle, name.c_str(), nullptr));
    return topic.get();
  }

 private:
  std::mutex mutex_;
  std::map<std::string, Owned<rd_kafka_topic_t>> topics_;
};

}  // namespace headrace::bus_kafka
