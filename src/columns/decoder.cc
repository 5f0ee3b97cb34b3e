#include "columns/decoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"
#include "columns/internal/row_builder.h"

namespace headrace::columns {

namespace {

constexpr std::array kFormatNames = {std::pair{std::string_view("json"), Format::kJson},
                                     std::pair{std::string_view("csv"), Format::kCsv},
                                     std::pair{std::string_view("raw"), Format::kRaw}};

Status check_columns(const DecoderOptions& options) {
  auto invalid = [](std::string text) { return Error{ErrorCode::kInvalidArgument, std::move(text)}; };
  size_t values = 0;
  for (const Column& column : options.schema) {
    if (column.type == Type::kInterval) {
      return invalid(fmt::format("column \"{}\": records have no intervals", column.name));
    }
    auto metadata = find_metadata(column.name);
    if (!metadata) {
      ++values;
    } else if (column.type != metadata_columns()[static_cast<size_t>(*metadata)].type) {
      return invalid(fmt::format("column \"{}\" is of another type than the metadata of that name", column.name));
    }
  }
  if (options.format == Format::kRaw && values > 1) {
    return invalid("format raw: the whole value is one column, and more than one is declared");
  }
  if (options.format == Format::kJson) return check_json_paths(options.schema);
  return {};
}

}  // namespace

std::string_view to_string(Format format) {
  for (const auto& [name, value] : kFormatNames) {
    if (value == format) return name;
  }
  CHECK(false);
}

std::optional<Format> parse_format(std::string_view name) {
  for (const auto& [known, value] : kFormatNames) {
    if (known == name) return value;
  }
  return std::nullopt;
}

Result<std::unique_ptr<Decoder>> make_decoder(DecoderOptions options) {
  RETURN_IF_ERROR(check_columns(options));
  RowBuilder rows(options.schema, options.source);
  switch (options.format) {
    case Format::kJson: return make_json_decoder(std::move(rows));
    case Format::kCsv: return make_csv_decoder(std::move(rows), options);
    case Format::kRaw: return make_raw_decoder(std::move(rows));
  }
  CHECK(false);
}

}  // namespace headrace::columns
