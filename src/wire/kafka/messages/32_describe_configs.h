// DescribeConfigs (32): tells the settings of topics and brokers.
#pragma once

#include "wire/kafka/schema.h"

namespace headrace::wire::kafka {

struct DescribeConfigsRequest {
  struct Resource {
    int8_t resource_type = 0;
    std::string resource_name;
    std::optional<std::vector<std::string>> configuration_keys = std::vector<std::string>();

    static constexpr auto fields() {
      using S = Resource;
      return std::tuple(field("ResourceType", &S::resource_type, "0+"),
                        field("ResourceName", &S::resource_name, "0+"),
                        field("ConfigurationKeys", &S::configuration_keys, "0+", {.nullable = "0+"}));
    }
  };

  std::vector<Resource> resources;
  bool include_synonyms = false;
  bool include_documentation = false;

  static constexpr Spec kSpec{.name = "DescribeConfigsRequest", .api_key = 32, .versions = "1-4", .flexible = "4+"};
  static constexpr auto fields() {
    using S = DescribeConfigsRequest;
    return std::tuple(field("Resources", &S::resources, "0+"),
                      field("IncludeSynonyms", &S::include_synonyms, "1+"),
                      field("IncludeDocumentation", &S::include_documentation, "3+"));
  }
};

struct DescribeConfigsResponse {
  struct DescribeConfigsResult {
    struct ResourceResult {
      struct Synonym {
        std::string name;
        std::optional<std::string> value = "";
        int8_t source = 0;

        static constexpr auto fields() {
          using S = Synonym;
          return std::tuple(field("Name", &S::name, "1+"),
                            field("Value", &S::value, "1+", {.nullable = "0+"}),
                            field("Source", &S::source, "1+"));
        }
      };

      std::string name;
      std::optional<std::string> value = "";
      bool read_only = false;
      int8_t config_source = -1;
      bool is_sensitive = false;
      std::vector<Synonym> synonyms;
      int8_t config_type = 0;
      std::optional<std::string> documentation = "";

      static constexpr auto fields() {
        using S = ResourceResult;
        return std::tuple(field("Name", &S::name, "0+"),
                          field("Value", &S::value, "0+", {.nullable = "0+"}),
                          field("ReadOnly", &S::read_only, "0+"),
                          field("ConfigSource", &S::config_source, "1+"),
                          field("IsSensitive", &S::is_sensitive, "0+"),
                          field("Synonyms", &S::synonyms, "1+"),
                          field("ConfigType", &S::config_type, "3+"),
                          field("Documentation", &S::documentation, "3+", {.nullable = "0+"}));
      }
    };

    int16_t error_code = 0;
    std::optional<std::string> error_message = "";
    int8_t resource_type = 0;
    std::string resource_name;
    std::vector<ResourceResult> configs;

    static constexpr auto fields() {
      using S = DescribeConfigsResult;
      return std::tuple(field("ErrorCode", &S::error_code, "0+"),
                        field("ErrorMessage", &S::error_message, "0+", {.nullable = "0+"}),
                        field("ResourceType", &S::resource_type, "0+"),
                        field("ResourceName", &S::resource_name, "0+"),
                        field("Configs", &S::configs, "0+"));
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<DescribeConfigsResult> results;

  static constexpr Spec kSpec{.name = "DescribeConfigsResponse", .api_key = 32, .versions = "1-4", .flexible = "4+"};
  static constexpr auto fields() {
    using S = DescribeConfigsResponse;
    return std::tuple(field("ThrottleTimeMs", &S::throttle_time_ms, "0+"), field("Results", &S::results, "0+"));
  }
};

template <>
struct Messages<32> {
  using Request = DescribeConfigsRequest;
  using Response = DescribeConfigsResponse;
};

}  // namespace headrace::wire::kafka
