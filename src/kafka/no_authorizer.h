// What the APIs of access control lists answer while there is no authorizer.
#pragma once

#include "kafka/errors.h"

namespace headrace::kafka {

/// Refuses what `answer` (a response, or one entry's part of it) is about, in Kafka's own words, which tools print.
template <typename Answer>
void refuse_without_authorizer(Answer& answer) {
  answer.error_code = wire_code(KafkaError::kSecurityDisabled);
  answer.error_message = "No Authorizer is configured.";
}

}  // namespace headrace::kafka
