#include "net/run_and_wait.h"

#include <future>

namespace headrace::net {

void run_and_wait(EventLoop& loop, Function<void()> task) {
  std::promise<void> done;
  loop.post([&] {
    task();
    loop.at_iteration_end([&] { loop.post([&] { done.set_value(); }); });
  });
  done.get_future().wait();
}

}  // namespace headrace::net
