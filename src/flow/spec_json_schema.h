// JSON Schema (draft 2020-12) of components' options, for editors and for `headrace check --schema`.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "flow/spec.h"

namespace headrace::flow {

/// The members of an object schema's "properties" that stand for `options`: `"url":{...},"index":{...}`, without the
/// braces around, so that a caller can put its own beside them. Human units are strings or numbers.
std::string json_schema_properties(std::span<const OptionSpec> options);
/// The schema of one option: `{"type":"integer","minimum":1,...}`.
std::string json_schema(const OptionSpec& option);
/// The schema of an object that has `spec`'s options and no others: type, description, properties, required.
std::string json_schema(const ComponentSpec& spec);

/// `text` as a JSON string, quotes included.
std::string json_quoted(std::string_view text);

}  // namespace headrace::flow
