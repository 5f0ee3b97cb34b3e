#include "console/assets.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cctype>

#include "base/check.h"
#include "embedded/streets.h"
#include "embedded/web.h"

namespace headrace::console {
namespace {

std::string content_type_of(std::string_view name) {
  static const std::map<std::string_view, std::string_view> types = {
      {"html", "text/html; charset=utf-8"}, {"js", "text/javascript; charset=utf-8"},
      {"css", "text/css; charset=utf-8"},   {"svg", "image/svg+xml"},
      {"json", "application/json"},
  };
  const auto found = types.find(name.substr(name.rfind('.') + 1));
  return std::string(found == types.end() ? "application/octet-stream" : found->second);
}

/// FNV-1a, 64 bits: enough to tell builds of one file apart.
std::string etag_of(std::string_view bytes) {
  uint64_t hash = 0xcbf29ce484222325;
  for (char c : bytes) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  return fmt::format("\"{:016x}\"", hash);
}

net::HttpResponse not_found() { return {.status = 404, .content_type = "text/plain", .body = "no such page\n"}; }

}  // namespace

Assets::Assets(const std::vector<std::string>& image_origins) {
  for (const embedded::File& file : embedded::web()) {
    pages_[std::string(file.name)] = {file.bytes, content_type_of(file.name), etag_of(file.bytes), {}};
  }
  for (const embedded::File& file : embedded::streets()) {
    basemaps_["manhattan"] = {file.bytes, content_type_of(file.name), etag_of(file.bytes), {}};
  }
  content_security_policy_ = fmt::format(
      "default-src 'self'; img-src 'self' data: {}; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
      fmt::join(image_origins, " "));
}

net::HttpResponse Assets::page_file(std::string_view name, const net::HttpRequest& request) {
  const auto found = pages_.find(name);
  if (found == pages_.end()) return not_found();
  net::HttpResponse response = answer(found->second, request);
  response.headers["Content-Security-Policy"] = content_security_policy_;
  response.headers["Referrer-Policy"] = "no-referrer";
  return response;
}

net::HttpResponse Assets::basemap(std::string_view name, const net::HttpRequest& request) {
  const auto found = basemaps_.find(name);
  return found == basemaps_.end() ? not_found() : answer(found->second, request);
}

net::HttpResponse Assets::answer(File& file, const net::HttpRequest& request) {
  net::HttpResponse response{.content_type = file.content_type};
  response.headers = {{"ETag", file.etag},
                      {"Cache-Control", "no-cache"},
                      {"Vary", "Accept-Encoding"},
                      {"X-Content-Type-Options", "nosniff"}};
  if (request.header("if-none-match").find(file.etag) != std::string_view::npos) {
    response.status = 304;
    return response;
  }
  if (request.header("accept-encoding").find("gzip") == std::string_view::npos) {
    response.body = file.bytes;
    return response;
  }
  std::lock_guard lock(mutex_);
  if (file.gzipped.empty()) file.gzipped = gzip(file.bytes);
  response.headers["Content-Encoding"] = "gzip";
  response.body = file.gzipped;
  return response;
}

std::string origin_of(std::string_view url) {
  const size_t scheme = url.starts_with("https://") ? 8 : url.starts_with("http://") ? 7 : 0;
  if (scheme == 0) return {};
  const std::string_view host = url.substr(scheme, url.find_first_of("/?#", scheme) - scheme);
  const bool plain = !host.empty() && std::all_of(host.begin(), host.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '.' || c == '-' || c == ':';
  });
  return plain ? std::string(url.substr(0, scheme)) + std::string(host) : std::string();
}

std::string gzip(std::string_view bytes) {
  z_stream stream{};
  constexpr int kGzipWindowBits = 15 + 16;
  CHECK(deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, kGzipWindowBits, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

}  // namespace headrace::console
