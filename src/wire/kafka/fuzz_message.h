// What requests_fuzz.cc and responses_fuzz.cc share: one fuzzer for the decoder of each message in all its versions.
//
//   input := message:u8 version:u8 body     (place among the API keys, and the version or a number that is made one)
//
// What can be read must come back the same after it was written. Arguments beside libFuzzer's:
//   --message=MetadataRequest   this message only
//   --list                      prints the names of the messages
//   --seeds=DIRECTORY           writes samples of each message in each version, to begin with
#pragma once

#include <cstdio>
#include <cstdlib>
#include <optional>

#include "base/fuzzing.h"
#include "wire/kafka/decode.h"
#include "wire/kafka/encode.h"

namespace headrace::wire::kafka {

inline constexpr size_t kChoiceBytes = 2;

template <typename M>
int16_t fuzz_version(uint8_t choice) {
  constexpr Versions versions = M::kSpec.versions;
  if (versions.contains(choice)) return choice;
  return static_cast<int16_t>(versions.min + choice % (versions.max - versions.min + 1));
}

template <typename M>
Bytes encoded(const M& message, int16_t version) {
  Encoder out;
  encode(out, version, message);
  return out.finish_body();
}

/// Not inlined, as what else is made for each message: a hundred of them in one function take the compiler minutes.
template <typename M>
[[gnu::noinline]] void fuzz_message(BytesView bytes, uint8_t choice) {
  auto version = fuzz_version<M>(choice);
  Decoder in{SharedBytes(Bytes(bytes.begin(), bytes.end()))};
  auto message = decode<M>(in, version);
  if (!message.ok()) return;
  Bytes written = encoded(*message, version);
  Decoder again{SharedBytes(Bytes(written))};
  auto copy = decode<M>(again, version);
  CHECK(copy.ok() && again.remaining() == 0);
  CHECK(encoded(*copy, version) == written);
}

/// `Side<M>::samples(version)`: messages to begin with. `Messages...`: all of one side, in the order of their keys.
template <typename Side, typename... Messages>
class MessageFuzzer {
 public:
  static void initialize(int count, char** arguments) {
    if (count == 2 && std::string_view(arguments[1]) == "--list") {
      (std::printf("%s\n", std::string(Messages::kSpec.name).c_str()), ...);
      std::exit(0);
    }
    if (auto name = fuzz_argument(count, arguments, "message")) choose(*name);
    write_seeds_if_asked(count, arguments, write_seeds);
  }
  static void run(BytesView input) {
    if (input.size() < kChoiceBytes) return;
    size_t chosen = only_ ? *only_ : input[0] % sizeof...(Messages), place = 0;
    ((place++ == chosen ? fuzz_message<Messages>(input.subspan(kChoiceBytes), input[1]) : void()), ...);
  }

 private:
  static void choose(std::string_view name) {
    size_t place = 0;
    ((Messages::kSpec.name == name ? void(only_ = place++) : void(++place)), ...);
    CHECK(only_.has_value());
  }
  static void write_seeds(const std::string& directory) {
    size_t place = 0;
    (write_seeds_of<Messages>(directory, place++), ...);
  }
  template <typename M>
  [[gnu::noinline]] static void write_seeds_of(const std::string& directory, size_t place) {
    if (only_ && *only_ != place) return;
    for (int16_t version = M::kSpec.versions.min; version <= M::kSpec.versions.max; ++version) {
      int sample = 0;
      for (const M& message : Side::template samples<M>(version)) {
        Bytes body = encoded(message, version);
        Bytes input = {static_cast<uint8_t>(place), static_cast<uint8_t>(version)};
        input.insert(input.end(), body.begin(), body.end());
        write_seed(directory,
                   std::string(M::kSpec.name) + "-v" + std::to_string(version) + "-" + std::to_string(sample++), input);
      }
    }
  }

  static inline std::optional<size_t> only_;  ///< Set by --message.
};

template <typename Side, typename Keys>
struct FuzzerOf;
template <typename Side, int16_t... keys>
struct FuzzerOf<Side, std::integer_sequence<int16_t, keys...>> {
  using Type = MessageFuzzer<Side, typename Side::template Message<keys>..., typename Side::Header>;
};
/// The fuzzer of one side: `Side` has samples() as above, and names its `Message<key>` and its `Header`.
template <typename Side, typename Keys>
using SideFuzzer = typename FuzzerOf<Side, Keys>::Type;

}  // namespace headrace::wire::kafka
