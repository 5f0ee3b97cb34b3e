// Reference pages from component specs.
#pragma once

#include <span>
#include <string>

#include "flow/spec.h"

namespace headrace::flow {

/// A Markdown table of options: name, what it takes, default, help. The fields of a kRecordList follow it as
/// `option[].field`.
std::string markdown_table(std::span<const OptionSpec> options);
/// A component's section: its name as a heading of `level`, its summary, its table.
std::string markdown_section(const ComponentSpec& spec, int level);

}  // namespace headrace::flow
