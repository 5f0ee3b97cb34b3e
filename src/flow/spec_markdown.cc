#include "flow/spec_markdown.h"

#include <fmt/format.h>

namespace headrace::flow {
namespace {

std::string cell(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '|') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

void append_rows(std::string& out, std::span<const OptionSpec> options, const std::string& prefix) {
  for (const OptionSpec& option : options) {
    std::string fallback = option.required           ? "required"
                           : option.fallback.empty() ? "none"
                                                     : "`" + cell(option.fallback) + "`";
    std::string name = prefix + std::string(option.name);
    out += fmt::format("| `{}` | {} | {} | {} |\n", name, cell(describe_type(option)), fallback, cell(option.help));
    append_rows(out, option.fields, name + "[].");
  }
}

}  // namespace

std::string markdown_table(std::span<const OptionSpec> options) {
  std::string out = "| option | takes | default | |\n|---|---|---|---|\n";
  append_rows(out, options, "");
  return out;
}

std::string markdown_section(const ComponentSpec& spec, int level) {
  std::string out =
      fmt::format("{} `{}`\n\n{}\n", std::string(static_cast<size_t>(level), '#'), spec.name, spec.summary);
  if (!spec.options.empty()) out += "\n" + markdown_table(spec.options);
  return out;
}

}  // namespace headrace::flow
