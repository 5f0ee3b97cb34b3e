// A record as one line of JSON.
//
//   {"topic":T,"partition":N,"offset":N,"timestamp":MS,"key":K,"value":V,"headers":[{"key":T,"value":K}]}
//
// V is the value where it is JSON, else {"text":T}, or {"base64":B} where it is not UTF-8; K is a string, or {"base64":B};
// null is null. "headers" is left out where there are none.
#pragma once

#include <string>

#include "flow/sink.h"
#include "sinks/json_text.h"

namespace headrace::sinks {

void append_envelope(const flow::SinkRecord& record, JsonText& json, std::string& out);

}  // namespace headrace::sinks
