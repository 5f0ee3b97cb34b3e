// Transactions, durable in __transaction_state.
//
//            partitions added         end (or the time is up)        markers on the disk
//   Empty -----------------> Ongoing -----------------------> Prepare* -----------------> Complete*
//                               ^                                                            |
//                               +------------------- partitions added -----------------------+
//
// What is on the disk when: Prepare* with all partitions before the first marker is written, so that a crash can only
// find a transaction undecided (it stays open, for its producer to end or its timeout to abort) or decided (its markers
// are written again, which changes nothing). Complete* is on the disk before the next transaction begins, so that
// markers that are written again never meet records of a later one. Ongoing is waited for where
// Joined says so. Where a power loss takes one that was not, the partitions themselves tell which transactions are open
// in them, and whatever was acknowledged in them is there.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "broker/coordinator_log.h"
#include "broker/group_coordinator.h"
#include "broker/timers.h"
#include "broker/topics.h"
#include "broker/transaction_schema.h"
#include "broker/transactions.h"
#include "record/producer_fields.h"

namespace headrace::broker {

class TransactionCoordinator final : public Transactions {
 public:
  /// Reads what `state_topic` holds; recover() then goes on with what a crash left open.
  static Result<std::unique_ptr<TransactionCoordinator>> open(const Environment& environment, Topics& topics,
                                                              std::shared_ptr<const Topic> state_topic,
                                                              GroupCoordinator& groups, Timers& timers);
  ~TransactionCoordinator() override;
  /// Completes prepared transactions and returns when they are ended; the timeouts of open ones begin anew.
  void recover();
  /// Forgets the ids that did nothing for options.transactional_id_expiration and have no transaction open. A producer
  /// that comes back is told kInvalidProducerIdMapping, and gets a new identity from init() (KIP-360).
  void expire_ids();

  Result<ProducerIdentity> new_producer_id() override;
  void init(std::string_view transactional_id, std::chrono::milliseconds timeout,
            std::optional<ProducerIdentity> current, IdentityCallback done) override;
  void add_partitions(std::string_view transactional_id, ProducerIdentity producer,
                      std::vector<TopicPartition> partitions, Joined joined, TransactionCallback done) override;
  void add_offsets(std::string_view transactional_id, ProducerIdentity producer, std::string_view group_id,
                   Joined joined, TransactionCallback done) override;
  void end(std::string_view transactional_id, ProducerIdentity producer, bool commit, bool bump_epoch,
           IdentityCallback done) override;
  void produce(std::string_view transactional_id, const std::shared_ptr<Partition>& partition,
               std::span<const record::Batch> batches, ProducedCallback done) override;
  void write_marker(const TopicPartition& tp, ProducerIdentity producer, bool commit, int32_t coordinator_epoch,
                    MarkerCallback done) override;
  std::vector<TransactionDescription> list() override;
  std::optional<TransactionDescription> describe(std::string_view transactional_id) override;

 private:
  struct Transaction {
    std::string id;
    std::mutex mutex;          ///< Of what follows.
    StoredTransaction stored;  ///< As it is meant to be; on the disk as told at the top.
    bool busy = false;         ///< A change is on its way to the disk, or the id was forgotten.
    /// Under kEmpty: the identity that its producer had when it asked for the one that it has now (KIP-360), which it
    /// asks again when the answer was lost.
    std::optional<ProducerIdentity> replaced = std::nullopt;
    /// Calls that passed the check and have not appended their records yet: those of produce(), and of an Ongoing.
    int appending = 0;
    Function<void()> when_appended;  ///< What an end waits with while appending > 0.
    bool joins_anew = false;         ///< With each request, as version 2 of the protocol does.
    Timers::Id timer = 0;
    bool completing = false;         ///< Complete* is on its way to the disk: the next transaction waits for it.
    bool completion_failed = false;  ///< It could not be written, and is tried again later.
    std::vector<Function<void(bool completed)>> when_completed;
  };
  using TransactionRef = std::shared_ptr<Transaction>;
  /// What an end is to do; lives through its steps.
  struct Ending {
    TransactionRef transaction;
    bool commit;
    ProducerIdentity before;  ///< In force again when the decision can't be written.
    ProducerIdentity marker;  ///< The identity that the markers carry.
    ProducerIdentity next;    ///< And the one that the producer goes on with.
    std::set<TopicPartition> partitions;
    /// Of these, the ones that held nothing of the transaction before the first marker: they need none. One that was
    /// appended but is not on the disk must not look like that.
    std::set<TopicPartition> without_records;
    IdentityCallback done;
    std::atomic<bool> answered{false};  ///< `done` was called.
    std::atomic<int> markers_left{0};
    std::atomic<bool> cut_short{false};  ///< The broker is closing: the next start goes on.
  };
  using EndingRef = std::shared_ptr<Ending>;

  TransactionCoordinator(const Environment& environment, Topics& topics, std::shared_ptr<const Topic> state_topic,
                         GroupCoordinator& groups, Timers& timers);
  Status load();
  void load_batch(const TopicPartition& tp, const record::Batch& batch);
  Status load_record(const record::RecordView& record);
  std::vector<TransactionRef> all() const;
  TransactionRef find(std::string_view id) const;
  TransactionRef find_or_create(std::string_view id);
  TransactionRef admit(std::string_view id);
  CoordinatorError check_partition(const TopicPartition& tp) const;
  static CoordinatorError check_identity(const Transaction& transaction, const ProducerIdentity& producer);
  static TransactionDescription describe(const TransactionRef& transaction);
  std::optional<StateLog::Entry> live_entry(const TransactionRef& transaction);
  /// Nothing for `stored`: the id is gone.
  void write(const Transaction& transaction, const std::optional<StoredTransaction>& stored, Function<void(bool)> done);
  Result<ProducerIdentity> next_identity(const ProducerIdentity& current);

  static bool repeats_init(const Transaction& transaction, const std::optional<ProducerIdentity>& current);
  static CoordinatorError check_init(const Transaction& transaction, const std::optional<ProducerIdentity>& current);
  void init_idle(std::unique_lock<std::mutex> lock, const TransactionRef& transaction,
                 std::chrono::milliseconds timeout, std::optional<ProducerIdentity> current, IdentityCallback done);
  void await_completion(std::unique_lock<std::mutex> lock, Transaction& transaction, Function<void(bool)> go_on);
  void abort_nothing(std::unique_lock<std::mutex> lock, const TransactionRef& transaction, ProducerIdentity producer,
                     IdentityCallback done);
  static void appended(const TransactionRef& transaction);
  void begin_timer(const TransactionRef& transaction);
  void on_timeout(const TransactionRef& transaction, int64_t start_time_ms);
  /// Begins the end of an open transaction; its mutex is held and released by `lock`.
  void begin_end(std::unique_lock<std::mutex> lock, const TransactionRef& transaction, bool commit, bool bump_epoch,
                 IdentityCallback done);
  void prepare(const EndingRef& ending);
  void write_markers(const EndingRef& ending);
  void write_marker(const EndingRef& ending, const TopicPartition& tp);
  void append_marker(const TopicPartition& tp, ProducerIdentity producer, bool commit, int32_t coordinator_epoch,
                     MarkerCallback done);
  void marker_written(const EndingRef& ending, const TopicPartition& tp, const Status& written);
  void retry_marker(const EndingRef& ending, const TopicPartition& tp);
  static void answer_undone(const EndingRef& ending);
  std::optional<log::ProducerInfo> known_in(const TopicPartition& tp, ProducerId producer);
  void complete(const EndingRef& ending);
  /// Offsets that were committed in a transaction which ended in `tp` take effect or go.
  void complete_offsets(const TopicPartition& tp, ProducerId producer, bool commit);
  void write_completed(const TransactionRef& transaction, const StoredTransaction& completed);
  void expire(const TransactionRef& transaction, int64_t before_ms);
  CoordinatorLog& log_of(std::string_view transactional_id);
  void finish_decided(std::unique_lock<std::mutex> lock, const TransactionRef& transaction, IdentityCallback done);
  void reopen(std::unique_lock<std::mutex> lock, const TransactionRef& transaction, std::set<TopicPartition> left_open);
  /// Aborts in one partition what a producer of an unknown id left open.
  void abort_unknown(const TopicPartition& tp, ProducerIdentity producer, IdentityCallback done);
  void find_open_transactions(std::map<ProducerId, std::set<TopicPartition>>& open,
                              std::map<ProducerId, int16_t>& epochs);

  Environment env_;
  Topics& topics_;
  const std::shared_ptr<const Topic> state_topic_;
  GroupCoordinator& groups_;
  Timers& timers_;
  std::vector<std::unique_ptr<CoordinatorLog>> logs_;

  mutable std::mutex mutex_;  ///< Of the map; taken after no transaction's mutex.
  std::map<std::string, TransactionRef, std::less<>> transactions_;
  bool full_ = false;  ///< An id was refused, and none has been made since.

  std::mutex ids_mutex_;
  int64_t next_id_ = 0;
  int64_t ids_end_ = 0;
};

}  // namespace headrace::broker
