// The files of the web pages inside the program: content types, ETags, gzip.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "net/http.h"

namespace headrace::console {

/// Answers GETs for embedded files. A file is compressed the first time that a client takes gzip. Thread-safe.
class Assets {
 public:
  /// `image_origins`: further origins ("https://tiles.example.org") that pages may load images from.
  explicit Assets(const std::vector<std::string>& image_origins);

  /// The file `name` of the pages; 404 where there is none.
  net::HttpResponse page_file(std::string_view name, const net::HttpRequest& request);
  /// The bundled basemap `name`.
  net::HttpResponse basemap(std::string_view name, const net::HttpRequest& request);

 private:
  struct File {
    std::string_view bytes;
    std::string content_type, etag, gzipped;
  };
  net::HttpResponse answer(File& file, const net::HttpRequest& request);

  std::string content_security_policy_;
  std::mutex mutex_;
  std::map<std::string, File, std::less<>> pages_, basemaps_;
};

/// The origin ("https://host:port") of a URL, empty when it is no http(s) URL of plain characters.
std::string origin_of(std::string_view url);
/// `bytes` in gzip format (RFC 1952).
std::string gzip(std::string_view bytes);

}  // namespace headrace::console
