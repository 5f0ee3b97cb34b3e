// A record as one line of JSON.
//
//   {"topic":T,"partition":N,"offset":N,"timestamp":MS,KEY,VALUE,"headers":[{"name":T,VALUE}*]}
//   KEY    := "key":T | "key_base64":T | "key":null
//   VALUE  := "value":JSON | "value_text":T | "value_base64":T | "value":null
//
// A record's value is "value" where it is JSON, "value_text" where it is other UTF-8; headers' values are never read as
// JSON, and a header's name that is not UTF-8 is "name_base64". "headers" is left out where there are none.
#pragma once

#include <string>

#include "flow/sink.h"
#include "sinks/json_text.h"

namespace headrace::sinks {

void append_envelope(const flow::SinkRecord& record, JsonText& json, std::string& out);

}  // namespace headrace::sinks
