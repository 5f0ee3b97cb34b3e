#include "base/ids.h"

namespace headrace {

std::string to_string(const TopicPartition& tp) { return tp.topic + "-" + std::to_string(tp.partition.value); }

}  // namespace headrace
