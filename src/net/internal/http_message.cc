#include "net/internal/http_message.h"

#include <fmt/format.h>

#include <boost/beast/http/status.hpp>

#include "net/internal/http_route.h"

namespace headrace::net::internal {
namespace {

namespace http = boost::beast::http;

/// A header's value must not start a line of its own.
std::string one_line(std::string_view value) {
  std::string out(value);
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 && c != '\t') c = ' ';
  }
  return out;
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::string json_escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

std::string raw_path(std::string_view target) {
  if (!target.starts_with('/')) {
    size_t scheme = target.find("://");
    size_t path = scheme == std::string_view::npos ? scheme : target.find('/', scheme + 3);
    target = path == std::string_view::npos ? std::string_view("/") : target.substr(path);
  }
  return std::string(target.substr(0, target.find('?')));
}

std::optional<HttpRequest> to_request(http::request<http::string_body>&& message) {
  HttpRequest request;
  std::string_view target(message.target().data(), message.target().size());
  auto path = url_decode(raw_path(target), false);
  size_t mark = target.find('?');
  auto query = parse_query(mark == std::string_view::npos ? "" : target.substr(mark + 1));
  if (!path || !query) return std::nullopt;
  request.method = std::string(message.method_string());
  request.path = *std::move(path);
  request.query = *std::move(query);
  for (const auto& field : message.base()) {
    std::string& value = request.headers[lower_case({field.name_string().data(), field.name_string().size()})];
    if (!value.empty()) value += ", ";
    value.append(field.value().data(), field.value().size());
  }
  request.body = std::move(message.body());
  return request;
}

std::string response_header(const HttpResponse& response, bool keep_alive, bool http_1_0) {
  auto reason = http::obsolete_reason(http::int_to_status(static_cast<unsigned>(response.status)));
  std::string out = fmt::format("HTTP/1.1 {} {}\r\n", response.status, std::string_view(reason.data(), reason.size()));
  if (!response.content_type.empty()) out += fmt::format("Content-Type: {}\r\n", one_line(response.content_type));
  for (const auto& [name, value] : response.headers) out += fmt::format("{}: {}\r\n", one_line(name), one_line(value));
  if (response.status != 204 && response.status != 304)
    out += fmt::format("Content-Length: {}\r\n", response.body.size());
  if (!keep_alive) out += "Connection: close\r\n";
  if (keep_alive && http_1_0) out += "Connection: keep-alive\r\n";
  return out += "\r\n";
}

std::string_view event_stream_header() {
  return "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n";
}

HttpResponse error_response(int status, std::string_view what) {
  HttpResponse response{.status = status};
  response.body = fmt::format("{{\"error\":\"{}\"}}\n", json_escaped(what));
  return response;
}

}  // namespace headrace::net::internal

namespace headrace::net {

std::string_view HttpRequest::header(std::string_view name) const {
  auto found = headers.find(std::string(name));
  return found == headers.end() ? std::string_view() : std::string_view(found->second);
}

}  // namespace headrace::net
