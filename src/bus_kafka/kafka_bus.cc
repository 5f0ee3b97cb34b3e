#include "bus_kafka/kafka_bus.h"

#include "bus_kafka/internal/parts.h"

namespace headrace::bus_kafka {
namespace {

class KafkaBus final : public bus::Bus {
 public:
  KafkaBus(Properties properties, std::unique_ptr<bus::Admin> admin)
      : properties_(std::move(properties)), admin_(std::move(admin)) {}

  Result<std::unique_ptr<bus::Producer>> producer(bus::ProducerOptions options) override {
    return make_producer(properties_, options);
  }
  Result<std::unique_ptr<bus::TransactionalProducer>> transactional_producer(std::string transactional_id) override {
    return make_transactional_producer(properties_, transactional_id);
  }
  Result<std::unique_ptr<bus::Consumer>> consumer(bus::ConsumerOptions options) override {
    return make_consumer(properties_, options);
  }
  bus::Admin& admin() override { return *admin_; }

 private:
  const Properties properties_;
  const std::unique_ptr<bus::Admin> admin_;
};

}  // namespace

Result<std::unique_ptr<bus::Bus>> connect(std::map<std::string, std::string> properties) {
  RETURN_IF_ERROR(check_properties(properties));
  if (!properties.contains("bootstrap.servers")) {
    return Error{ErrorCode::kInvalidArgument,
                 "librdkafka property bootstrap.servers is missing: host:port[,host:port...]"};
  }
  ASSIGN_OR_RETURN(auto admin, make_admin(properties));
  return std::unique_ptr<bus::Bus>(std::make_unique<KafkaBus>(std::move(properties), std::move(admin)));
}

}  // namespace headrace::bus_kafka
