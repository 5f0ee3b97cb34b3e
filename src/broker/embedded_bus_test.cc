#include "broker/embedded_bus.h"

#include "broker/broker_test_support.h"
#include "bus/bus_contract_test.h"

namespace headrace::broker {
namespace {

class EmbeddedBusUnderTest final : public bus::BusUnderTest {
 public:
  EmbeddedBusUnderTest()
      : broker_(*Broker::open(options_in(directory_.path()), metrics_)), bus_(make_embedded_bus(*broker_)) {}
  bus::Bus& bus() override { return *bus_; }

 private:
  TempDirectory directory_;
  flow::MetricsRegistry metrics_;
  std::unique_ptr<Broker> broker_;
  std::unique_ptr<bus::Bus> bus_;
};

}  // namespace
}  // namespace headrace::broker

namespace headrace::bus {
INSTANTIATE_TEST_SUITE_P(Embedded, BusContract,
                         testing::Values(BusFactory{"embedded",
                                                    [] { return std::make_unique<broker::EmbeddedBusUnderTest>(); }}),
                         bus_name);
}  // namespace headrace::bus
