// Beast's messages to ours, and our responses to bytes.
#pragma once

#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <optional>

#include "net/http.h"

namespace headrace::net::internal {

/// The path of a request target, still encoded: without the query and, in absolute form, without scheme and host.
std::string raw_path(std::string_view target);

/// Nothing when the target can't be decoded.
std::optional<HttpRequest> to_request(boost::beast::http::request<boost::beast::http::string_body>&& message);

/// Status line and header fields, the empty line included.
std::string response_header(const HttpResponse& response, bool keep_alive, bool http_1_0);
std::string_view event_stream_header();

/// {"error": "..."}
HttpResponse error_response(int status, std::string_view what);

}  // namespace headrace::net::internal
