// TxnOffsetCommit (28): stores positions of a consumer group within a transaction; readers see them when it commits.
//
// Behavior:
// - The group must have been added with AddOffsetsToTxn, except under transaction version 2, where this request does
//   it.
// - Of a partition that is named more than once the last position counts, and is answered once.
// - More than fits into one batch (max.message.bytes of __consumer_offsets) answers INVALID_COMMIT_OFFSET_SIZE.
//
// Version notes:
// - 2 adds leader epochs, 3 is flexible and checks member and generation (KIP-447), 5 belongs to transaction version 2
//   (KIP-890).
#include "wire/kafka/messages/28_txn_offset_commit.h"
#include "kafka/api.h"
#include "kafka/errors.h"
#include "kafka/repeated.h"

namespace headrace::kafka {
namespace {

using broker::CoordinatorError;
using wire::kafka::TxnOffsetCommitRequest;
using wire::kafka::TxnOffsetCommitResponse;

constexpr int16_t kAddsGroupSince = 5;

/// A request in progress; its callbacks come one after the other.
struct Commit {
  Commit(TxnOffsetCommitRequest asked, Reply<TxnOffsetCommitResponse> answer)
      : request(std::move(asked)), reply(std::move(answer)) {
    using Topic = TxnOffsetCommitRequest::Topic;
    keep_last_of_each_partition(request.topics, &Topic::name, &Topic::Partition::partition_index);
    for (auto& topic : request.topics) {
      auto& out = response.topics.emplace_back();
      out.name = topic.name;
      for (auto& p : topic.partitions) {
        out.partitions.push_back({p.partition_index, 0});
        offsets.push_back(
            {{topic.name, PartitionId(p.partition_index)},
             {Offset(p.committed_offset), p.committed_leader_epoch, std::move(p.committed_metadata).value_or("")}});
      }
    }
  }

  void answer(const broker::CommitAnswer& errors) {
    size_t next = 0;
    for (auto& topic : response.topics) {
      for (auto& partition : topic.partitions) partition.error_code = wire_code(errors[next++]);
    }
    reply(response);
  }

  TxnOffsetCommitRequest request;
  Reply<TxnOffsetCommitResponse> reply;
  TxnOffsetCommitResponse response;
  std::vector<broker::OffsetToCommit> offsets;
};

void commit_offsets(broker::Broker& broker, const std::shared_ptr<Commit>& commit) {
  const auto& request = commit->request;
  broker.groups().commit_in_transaction(
      {request.group_id, request.generation_id, request.member_id, request.group_instance_id}, request.transactional_id,
      {.id = ProducerId(request.producer_id), .epoch = request.producer_epoch, .transactional = true}, commit->offsets,
      [commit](broker::CommitAnswer errors) { commit->answer(errors); });
}

void txn_offset_commit(const Call& call, TxnOffsetCommitRequest request, Reply<TxnOffsetCommitResponse> reply) {
  auto commit = std::make_shared<Commit>(std::move(request), std::move(reply));
  auto& broker = call.server.broker;
  if (call.version < kAddsGroupSince) return commit_offsets(broker, commit);
  const auto& asked = commit->request;
  broker.transactions().add_offsets(asked.transactional_id, {ProducerId(asked.producer_id), asked.producer_epoch},
                                    asked.group_id, broker::Joined::kWritten,
                                    [&broker, commit](CoordinatorError error) {
                                      if (error == CoordinatorError::kNone) return commit_offsets(broker, commit);
                                      commit->answer(broker::CommitAnswer(commit->offsets.size(), error));
                                    });
}

}  // namespace

const Api& api_28() {
  static const Api api = make_api<28, txn_offset_commit>({.name = "TxnOffsetCommit", .versions = "0-5"});
  return api;
}

}  // namespace headrace::kafka
