// The end of a plan: expressions over a batch, as JSON rows.
#pragma once

#include <memory>
#include <vector>

#include "base/function.h"
#include "base/result.h"
#include "columns/encoder.h"
#include "sql/plan.h"
#include "stream/expression.h"

namespace headrace::stream {

/// Computes the outputs of a plan and encodes them. One thread.
class Projector {
 public:
  /// kInvalidArgument: an output or `key_column` can't be encoded.
  static Result<std::unique_ptr<Projector>> make(const sql::Plan& plan, std::string key_column);

  using Emit = Function<void(uint32_t row, const columns::EncodedRow& encoded)>;
  /// Calls `emit` for the selected rows in their order; rows that fail are marked in `context` and left out.
  void project(EvalContext& context, Selection selection, Emit& emit);

 private:
  explicit Projector(const sql::Plan& plan);

  std::vector<NodePtr> outputs_;
  std::shared_ptr<arrow::Schema> schema_;
  std::unique_ptr<columns::Encoder> encoder_;
  std::vector<const Values*> values_;
  std::vector<uint32_t> alive_;
};

}  // namespace headrace::stream
