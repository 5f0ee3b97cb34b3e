// One HTTP connection to a fixed server, over libcurl: http and https only, no redirects, bounded answers.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace headrace::sinks::opensearch {

struct HttpClientOptions {
  std::string url;  ///< http://host:port[/prefix], without a query, user or password.
  std::string username;
  std::string password;
  std::string ca_file;  ///< PEM; empty: the system's.
  bool gzip = false;    ///< Compress request bodies.
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds request_timeout{60'000};
  size_t answer_bytes_max = 64 << 20;
};

struct HttpAnswer {
  long status = 0;
  std::string body;
  std::chrono::milliseconds retry_after{0};  ///< Of the Retry-After header, where it is a number of seconds.
};

/// One thread, cancel() excepted.
class HttpClient {
 public:
  /// kInvalidArgument: the URL is not of the form above.
  static Result<HttpClient> make(HttpClientOptions options);
  ~HttpClient();
  HttpClient(HttpClient&&) noexcept;

  /// Sends a request and returns the answer, whatever its status. `path` is appended to the URL. An error means that
  /// there was no answer: kUnavailable (connection), kTimedOut, kTooLarge, kClosed (cancelled).
  Result<HttpAnswer> send(const char* method, std::string_view path, std::string_view content_type,
                          std::string_view body);
  /// Ends the request in progress and every later one with kClosed. From any thread.
  void cancel();
  const std::string& url() const;

 private:
  struct State;
  explicit HttpClient(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace headrace::sinks::opensearch
