// The last position of each device of a map, bounded in number; the device silent for longest makes room.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace headrace::console {

struct Device {
  std::string id;
  double lon = 0, lat = 0;
  std::optional<double> heading;
  int status = -1;          ///< An index of DeviceTable::statuses(), -1: none.
  int64_t time_ms = 0;      ///< The device's own time of its newest record.
  int64_t seen_ms = 0;      ///< When that record was taken in.
  int64_t alert_ms = 0;     ///< Of the newest alert, 0: none.
  std::string last_record;  ///< As it came, empty when over kDeviceRecordBytesMax.

  bool queued = false;    ///< In the queue of changes.
  bool full_row = false;  ///< Pages need all columns, not the position alone.
  uint32_t older = 0, newer = 0;
};

/// What a record says about a device.
struct DeviceUpdate {
  std::string_view id;
  double lon, lat;
  std::optional<double> heading;
  std::optional<std::string_view> status;
  int64_t time_ms;
  int64_t seen_ms;
  std::string_view record;
};

/// Devices live in slots whose numbers stay theirs until they leave; pages know them by slot.
class DeviceTable {
 public:
  static constexpr size_t kDeviceIdBytesMax = 128;
  static constexpr size_t kDeviceRecordBytesMax = 1024;
  static constexpr size_t kStatusesMax = 12;  ///< Further values count as the last.
  static constexpr size_t kStatusBytesMax = 64;

  explicit DeviceTable(size_t devices_max);

  /// Takes a position in; one older than what is known is dropped, and so is one outside the globe.
  void update(const DeviceUpdate& update);
  void alert(std::string_view id, int64_t at_ms);
  /// Devices last seen before `before_ms` leave.
  void expire(int64_t before_ms);
  void clear();

  const Device* find(std::string_view id) const;
  size_t size() const { return by_id_.size(); }
  const std::vector<std::string>& statuses() const { return statuses_; }
  /// Devices by status, in the order of statuses().
  const std::vector<size_t>& status_counts() const { return status_counts_; }
  template <typename Visit>
  void for_each(Visit visit) const {
    for (uint32_t slot = slots_[0].newer; slot != 0; slot = slots_[slot].newer) visit(slot, slots_[slot]);
  }

  bool changed() const { return !changes_.empty() || !gone_.empty(); }
  /// The next changed device, oldest change first; null when there is none.
  const Device* take_change(uint32_t& slot, bool& full_row);
  std::vector<uint32_t> take_gone() { return std::exchange(gone_, {}); }

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  uint32_t slot_of(std::string_view id);
  void remove(uint32_t slot);
  void touch(uint32_t slot);
  void unlink(uint32_t slot);
  void queue(uint32_t slot, bool full_row);
  int status_index(std::string_view status);
  void set_status(Device& device, int status);

  size_t devices_max_;
  std::vector<Device> slots_;  ///< Slot 0 heads the ring ordered by time last seen.
  std::vector<uint32_t> free_;
  std::unordered_map<std::string, uint32_t, Hash, std::equal_to<>> by_id_;
  std::vector<std::string> statuses_;
  std::vector<size_t> status_counts_;
  std::deque<uint32_t> changes_;
  std::vector<uint32_t> gone_;
};

}  // namespace headrace::console
