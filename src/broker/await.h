// Waiting for what answers by a callback.
#pragma once

#include <future>
#include <memory>
#include <utility>

namespace headrace::broker {

/// Calls an asynchronous function and waits for its one answer: `await<Answer>([&](auto done) { ask(done); })`. Not on
/// a thread that answers.
template <typename Answer, typename Call>
Answer await(Call call) {
  auto promise = std::make_shared<std::promise<Answer>>();
  auto future = promise->get_future();
  call([promise](Answer answer) { promise->set_value(std::move(answer)); });
  return future.get();
}

}  // namespace headrace::broker
