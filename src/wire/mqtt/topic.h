// Topic names and topic filters, MQTT 3.1.1 section 4.7, and the UTF-8 that they are made of, section 1.5.3.
#pragma once

#include <span>
#include <string_view>

namespace headrace::wire::mqtt {

/// Well-formed UTF-8 without surrogates [MQTT-1.5.3-1] and without U+0000 [MQTT-1.5.3-2].
bool valid_utf8(std::string_view text);

/// A topic name has at least one character [MQTT-4.7.3-1] and no wildcard [MQTT-3.3.2-2].
bool valid_topic_name(std::string_view name);

/// '#' is the last character and a whole level [MQTT-4.7.1-2]; '+' is a whole level [MQTT-4.7.1-3].
bool valid_topic_filter(std::string_view filter);

/// How many wildcards a valid filter has.
size_t count_wildcards(std::string_view filter);

/// Whether a valid topic name matches a valid filter. The text that each wildcard stands for goes into `captures`, as
/// far as it has room: a level for '+', all that is left for '#'. Names that start with '$' don't match a filter that
/// starts with a wildcard [MQTT-4.7.2-1].
bool match_topic(std::string_view filter, std::string_view name, std::span<std::string_view> captures = {});

}  // namespace headrace::wire::mqtt
