// DeleteGroups (42): deletes groups without members, with their positions.
//
// Behavior:
// - Each group is answered for itself, once its end is on the disk: NON_EMPTY_GROUP, GROUP_ID_NOT_FOUND or success.
//
// Version notes:
// - 2 is flexible.
#include <atomic>

#include "kafka/api.h"
#include "kafka/errors.h"
#include "kafka/repeated.h"
#include "wire/kafka/messages/42_delete_groups.h"

namespace headrace::kafka {
namespace {

using wire::kafka::DeleteGroupsRequest;
using wire::kafka::DeleteGroupsResponse;

struct Deletion {
  Deletion(DeleteGroupsRequest request, Reply<DeleteGroupsResponse> answer)
      : reply(std::move(answer)), left(request.groups_names.size() + 1) {
    for (auto& name : request.groups_names) response.results.push_back({std::move(name), 0});
  }
  void done_one() {
    if (left.fetch_sub(1, std::memory_order_acq_rel) == 1) reply(response);
  }

  Reply<DeleteGroupsResponse> reply;
  DeleteGroupsResponse response;
  std::atomic<size_t> left;  ///< Groups without an answer, and one for the loop that starts them.
};

void delete_groups(const Call& call, DeleteGroupsRequest request, Reply<DeleteGroupsResponse> reply) {
  drop_repeated(request.groups_names);
  auto deletion = std::make_shared<Deletion>(std::move(request), std::move(reply));
  for (auto& result : deletion->response.results) {
    call.server.broker.groups().remove(result.group_id, [deletion, &result](broker::CoordinatorError error) {
      result.error_code = wire_code(error);
      deletion->done_one();
    });
  }
  deletion->done_one();
}

}  // namespace

const Api& api_42() {
  static const Api api = make_api<42, delete_groups>({.name = "DeleteGroups", .versions = "0-2"});
  return api;
}

}  // namespace headrace::kafka
