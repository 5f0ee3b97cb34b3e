#include "stream/projector.h"

#include <arrow/api.h>

#include "stream/transaction_writer.h"

namespace headrace::stream {

Projector::Projector(const sql::Plan& plan) : schema_(columns::to_arrow(plan.output)), values_(plan.outputs.size()) {
  for (const auto& output : plan.outputs) outputs_.push_back(compile(output.expr));
}

Result<std::unique_ptr<Projector>> Projector::make(const sql::Plan& plan, std::string key_column) {
  auto projector = std::unique_ptr<Projector>(new Projector(plan));
  ASSIGN_OR_RETURN(projector->encoder_, columns::make_encoder({.schema = plan.output,
                                                               .key_column = std::move(key_column),
                                                               .text_bytes_max = kOutputRecordBytesMax}));
  return projector;
}

void Projector::project(EvalContext& context, Selection selection, Emit& emit) {
  for (size_t i = 0; i < outputs_.size(); ++i) values_[i] = &outputs_[i]->evaluate(context, selection);
  if (!context.failures().empty()) {
    alive_.clear();
    selection.for_each([&](size_t row) {
      if (!context.has_failed(row)) alive_.push_back(static_cast<uint32_t>(row));
    });
    selection = {alive_.data(), alive_.size()};
  }
  if (selection.count == 0) return;
  std::vector<std::shared_ptr<arrow::Array>> arrays;
  for (const Values* values : values_) arrays.push_back(to_array(*values, selection));
  auto batch = arrow::RecordBatch::Make(schema_, static_cast<int64_t>(selection.count), std::move(arrays));
  encoder_->bind(*batch, 0);
  for (size_t i = 0; i < selection.count; ++i) emit(selection[i], encoder_->row(static_cast<int64_t>(i)));
}

}  // namespace headrace::stream
