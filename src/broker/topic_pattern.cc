#include "broker/topic_pattern.h"

#include <re2/re2.h>

namespace headrace::broker {
namespace {

/// Memory of one compiled expression, its automata included.
constexpr int64_t kPatternBytesMax = 1 << 20;

RE2::Options options() {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kPatternBytesMax);
  return options;
}

}  // namespace

struct TopicPattern::Impl {
  explicit Impl(std::string_view expression) : re2(re2::StringPiece(expression.data(), expression.size()), options()) {}
  RE2 re2;
};

TopicPattern::TopicPattern(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TopicPattern::TopicPattern(TopicPattern&&) noexcept = default;
TopicPattern& TopicPattern::operator=(TopicPattern&&) noexcept = default;
TopicPattern::~TopicPattern() = default;

Result<TopicPattern> TopicPattern::compile(std::string_view expression) {
  auto impl = std::make_unique<Impl>(expression);
  if (!impl->re2.ok()) return Error{ErrorCode::kInvalidArgument, impl->re2.error()};
  return TopicPattern(std::move(impl));
}

bool TopicPattern::matches(std::string_view name) const {
  return RE2::FullMatch(re2::StringPiece(name.data(), name.size()), impl_->re2);
}

}  // namespace headrace::broker
