#include "sinks/opensearch/http_client.h"

#include <curl/curl.h>
#include <fmt/format.h>
#include <zlib.h>

#include <charconv>
#include <system_error>

#include "base/check.h"

namespace headrace::sinks::opensearch {
namespace {

struct CurlDeleter {
  void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using Curl = std::unique_ptr<CURL, CurlDeleter>;
using CurlUrl = std::unique_ptr<CURLU, CurlDeleter>;
using CurlList = std::unique_ptr<curl_slist, CurlDeleter>;

/// gzip's flag in zlib's windowBits.
constexpr int kGzipWindowBits = 15 + 16;

bool has_part(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  bool has = curl_url_get(url, part, &text, 0) == CURLUE_OK;
  curl_free(text);
  return has;
}

Status check_url(const std::string& text) {
  auto wrong = [&](std::string_view why) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format("'{}' {}: it takes http://host:port or https://host:port, with a path at most", text, why)};
  };
  if (!text.starts_with("http://") && !text.starts_with("https://")) return wrong("is not an http or https URL");
  CurlUrl url(curl_url());
  if (curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK) return wrong("is not a URL");
  if (has_part(url.get(), CURLUPART_USER)) return wrong("holds a user, which has options of its own");
  if (has_part(url.get(), CURLUPART_QUERY) || has_part(url.get(), CURLUPART_FRAGMENT))
    return wrong("has a query or fragment");
  return {};
}

void gzip_into(std::string_view text, std::string& out) {
  z_stream stream{};
  CHECK(deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, kGzipWindowBits, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  out.resize(deflateBound(&stream, text.size()));
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
}

}  // namespace

struct HttpClient::State {
  HttpClientOptions options;
  Curl curl{curl_easy_init()};
  HttpAnswer answer;
  bool too_large = false;
  std::string compressed;
  std::atomic<bool> cancelled{false};

  static size_t on_body(char* data, size_t, size_t size, void* self);
  static size_t on_header(char* data, size_t, size_t size, void* self);
  static int on_progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t);
  void configure();
  Error error(CURLcode code, const char* detail) const;
};

size_t HttpClient::State::on_body(char* data, size_t, size_t size, void* self) {
  auto* state = static_cast<State*>(self);
  if (state->answer.body.size() + size > state->options.answer_bytes_max) {
    state->too_large = true;
    return 0;
  }
  state->answer.body.append(data, size);
  return size;
}

size_t HttpClient::State::on_header(char* data, size_t, size_t size, void* self) {
  constexpr std::string_view kRetryAfter = "retry-after:";
  std::string_view line(data, size);
  if (line.size() > kRetryAfter.size() && curl_strnequal(data, kRetryAfter.data(), kRetryAfter.size())) {
    line.remove_prefix(kRetryAfter.size());
    while (line.starts_with(' ')) line.remove_prefix(1);
    uint32_t seconds = 0;
    std::from_chars(line.data(), line.data() + line.size(), seconds);
    static_cast<State*>(self)->answer.retry_after = std::chrono::seconds(seconds);
  }
  return size;
}

int HttpClient::State::on_progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<State*>(self)->cancelled.load(std::memory_order_relaxed) ? 1 : 0;
}

void HttpClient::State::configure() {
  CURL* c = curl.get();
  curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(c, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options.connect_timeout.count()));
  curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, static_cast<long>(options.request_timeout.count()));
  curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, &State::on_body);
  curl_easy_setopt(c, CURLOPT_WRITEDATA, this);
  curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, &State::on_header);
  curl_easy_setopt(c, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, &State::on_progress);
  curl_easy_setopt(c, CURLOPT_XFERINFODATA, this);
  curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
  if (!options.username.empty()) {
    curl_easy_setopt(c, CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
    curl_easy_setopt(c, CURLOPT_USERNAME, options.username.c_str());
    curl_easy_setopt(c, CURLOPT_PASSWORD, options.password.c_str());
  }
  if (!options.ca_file.empty()) curl_easy_setopt(c, CURLOPT_CAINFO, options.ca_file.c_str());
}

Error HttpClient::State::error(CURLcode code, const char* detail) const {
  std::string text = *detail != '\0' ? detail : curl_easy_strerror(code);
  long os_errno = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_OS_ERRNO, &os_errno);
  if (code == CURLE_COULDNT_CONNECT && os_errno != 0) text = std::system_category().message(static_cast<int>(os_errno));
  if (cancelled) return {ErrorCode::kClosed, "stopped"};
  if (too_large) return {ErrorCode::kTooLarge, fmt::format("its answer is over {} bytes", options.answer_bytes_max)};
  return {code == CURLE_OPERATION_TIMEDOUT ? ErrorCode::kTimedOut : ErrorCode::kUnavailable, std::move(text)};
}

HttpClient::HttpClient(std::unique_ptr<State> state) : state_(std::move(state)) {}
HttpClient::~HttpClient() = default;
HttpClient::HttpClient(HttpClient&&) noexcept = default;

Result<HttpClient> HttpClient::make(HttpClientOptions options) {
  static const CURLcode global = curl_global_init(CURL_GLOBAL_DEFAULT);
  CHECK(global == CURLE_OK);
  while (options.url.ends_with('/')) options.url.pop_back();
  RETURN_IF_ERROR(check_url(options.url));
  auto state = std::make_unique<State>();
  CHECK(state->curl != nullptr);
  state->options = std::move(options);
  state->configure();
  return HttpClient(std::move(state));
}

Result<HttpAnswer> HttpClient::send(const char* method, std::string_view path, std::string_view content_type,
                                    std::string_view body) {
  State& state = *state_;
  CURL* c = state.curl.get();
  state.answer = {};
  state.too_large = false;
  char detail[CURL_ERROR_SIZE] = "";
  std::string url = state.options.url + std::string(path);
  CurlList headers(curl_slist_append(nullptr, fmt::format("Content-Type: {}", content_type).c_str()));
  curl_slist_append(headers.get(), "Expect:");  // No round trip before the body.
  if (state.options.gzip && !body.empty()) {
    gzip_into(body, state.compressed);
    body = state.compressed;
    curl_slist_append(headers.get(), "Content-Encoding: gzip");
  }
  curl_easy_setopt(c, CURLOPT_ERRORBUFFER, detail);
  curl_easy_setopt(c, CURLOPT_URL, url.c_str());
  curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, method);
  curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  curl_easy_setopt(c, CURLOPT_POSTFIELDS, body.data());
  CURLcode code = curl_easy_perform(c);
  curl_easy_setopt(c, CURLOPT_ERRORBUFFER, nullptr);
  curl_easy_setopt(c, CURLOPT_HTTPHEADER, nullptr);
  if (code != CURLE_OK) return state.error(code, detail);
  curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &state.answer.status);
  return std::move(state.answer);
}

void HttpClient::cancel() { state_->cancelled = true; }
const std::string& HttpClient::url() const { return state_->options.url; }

}  // namespace headrace::sinks::opensearch
