#include "kafka/errors.h"

#include <set>

namespace headrace::kafka {
namespace {

constexpr int kErrorCodes = static_cast<int>(ErrorCode::kClosed) + 1;
constexpr int kCoordinatorErrors = static_cast<int>(broker::CoordinatorError::kTransactionalIdNotFound) + 1;

TEST(Errors, EveryErrorCodeHasAKafkaError) {
  for (int i = 0; i < kErrorCodes; ++i) {
    auto code = static_cast<ErrorCode>(i);
    KafkaError error = to_kafka(code);
    EXPECT_NE(error, KafkaError::kUnknownServerError) << to_string(code);
    EXPECT_NE(error, KafkaError::kNone) << to_string(code);
    EXPECT_NE(to_string(error), "UNKNOWN") << to_string(code);
  }
  EXPECT_EQ(to_kafka(static_cast<ErrorCode>(kErrorCodes)), KafkaError::kUnknownServerError);
}

TEST(Errors, EveryCoordinatorErrorHasAKafkaErrorOfItsOwn) {
  std::set<KafkaError> seen;
  for (int i = 0; i < kCoordinatorErrors; ++i) {
    auto error = static_cast<broker::CoordinatorError>(i);
    EXPECT_TRUE(seen.insert(to_kafka(error)).second) << to_string(error);
    EXPECT_NE(to_kafka(error), KafkaError::kUnknownServerError) << to_string(error);
  }
  EXPECT_TRUE(seen.count(KafkaError::kNone));
}

TEST(Errors, WhatPassesIsToldOfAPartitionByWhatConsumersExpect) {
  EXPECT_EQ(partition_error(ErrorCode::kUnavailable), KafkaError::kKafkaStorageError);
  EXPECT_EQ(partition_error(ErrorCode::kClosed), KafkaError::kNotLeaderOrFollower);
  EXPECT_EQ(partition_error(ErrorCode::kOutOfRange), KafkaError::kOffsetOutOfRange);
}

TEST(Errors, NumbersAreTheProtocols) {
  EXPECT_EQ(wire_code(KafkaError::kUnknownServerError), -1);
  EXPECT_EQ(wire_code(ErrorCode::kOutOfRange), 1);
  EXPECT_EQ(wire_code(ErrorCode::kCorrupt), 2);
  EXPECT_EQ(wire_code(ErrorCode::kNotFound), 3);
  EXPECT_EQ(wire_code(ErrorCode::kTooLarge), 10);
  EXPECT_EQ(wire_code(ErrorCode::kOutOfOrder), 45);
  EXPECT_EQ(wire_code(broker::CoordinatorError::kUnknownMember), 25);
  EXPECT_EQ(wire_code(Status()), 0);
}

}  // namespace
}  // namespace headrace::kafka
