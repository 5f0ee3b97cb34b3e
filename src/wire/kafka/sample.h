// Values for every field of a message, for tests: drawn from a seed, so that any declared message can be made, encoded
// and compared without a line of its own.
#pragma once

#include <random>
#include <string>

#include "wire/kafka/schema.h"

namespace headrace::wire::kafka {

/// What a Sampler fills strings and ids with.
struct Vocabulary {
  std::vector<std::string> texts;  ///< Empty: up to 19 times one letter.
  std::vector<Uuid> ids;           ///< Empty: any.
};

/// Makes messages from a seed. Fields that `version` lacks keep their defaults, nulls appear only where it allows them.
class Sampler {
 public:
  explicit Sampler(uint64_t seed, Vocabulary words = {}) : random_(seed), words_(std::move(words)) {}

  template <Declared M>
  M message(int16_t version) {
    M out;
    fill(out, version);
    return out;
  }

 private:
  bool chance() { return random_() % 4 == 0; }
  std::string text() {
    if (!words_.texts.empty()) return words_.texts[random_() % words_.texts.size()];
    return std::string(random_() % 20, static_cast<char>('a' + random_() % 26));
  }

  template <Declared S>
  void fill(S& out, int16_t version) {
    for_each_field<S>([&](const auto& f) {
      if (f.versions.contains(version)) value(out.*f.member, version, f.options.nullable.contains(version));
    });
  }

  template <typename T>
  void value(T& out, int16_t version, bool nullable) {
    if constexpr (IsOptional<T>::value) {
      if (nullable && chance()) return out.reset();
      value(out.emplace(), version, false);
    } else if constexpr (Declared<T>) {
      fill(out, version);
    } else if constexpr (IsVector<T>::value) {
      out.resize(random_() % 4);
      for (size_t i = 0; i < out.size(); ++i) {
        typename T::value_type item{};
        value(item, version, false);
        out[i] = std::move(item);
      }
    } else if constexpr (std::is_same_v<T, std::string>) {
      out = text();
    } else if constexpr (std::is_same_v<T, Uuid>) {
      for (auto& byte : out.bytes) byte = static_cast<uint8_t>(random_());
      if (!words_.ids.empty()) out = words_.ids[random_() % words_.ids.size()];
    } else if constexpr (std::is_same_v<T, Bytes>) {
      std::string bytes = text();
      out.assign(bytes.begin(), bytes.end());
    } else if constexpr (std::is_same_v<T, Records>) {
      if (nullable && chance()) return void(out = Records());
      out = Records(SharedBytes(Bytes(random_() % 9000, static_cast<uint8_t>(random_()))));
    } else if constexpr (std::is_same_v<T, bool>) {
      out = random_() & 1;
    } else if constexpr (std::is_same_v<T, double>) {
      out = static_cast<double>(random_()) / 3;
    } else {
      out = static_cast<T>(random_());
    }
  }

  std::mt19937_64 random_;
  const Vocabulary words_;
};

}  // namespace headrace::wire::kafka
