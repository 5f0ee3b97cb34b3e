#include "console/device_table.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace headrace::console {

DeviceTable::DeviceTable(size_t devices_max) : devices_max_(devices_max), slots_(1) {}

void DeviceTable::update(const DeviceUpdate& update) {
  if (update.id.empty() || update.id.size() > kDeviceIdBytesMax) return;
  if (!(std::abs(update.lon) <= 180) || !(std::abs(update.lat) <= 90)) return;
  const uint32_t slot = slot_of(update.id);
  Device& device = slots_[slot];
  if (update.time_ms < device.time_ms) return;
  device.time_ms = update.time_ms;
  device.seen_ms = update.seen_ms;
  device.lon = update.lon;
  device.lat = update.lat;
  device.heading = update.heading;
  if (update.status) set_status(device, status_index(*update.status));
  if (update.record.size() <= kDeviceRecordBytesMax) {
    device.last_record = update.record;
  } else {
    device.last_record.clear();
  }
  touch(slot);
  queue(slot, false);
}

void DeviceTable::alert(std::string_view id, int64_t at_ms) {
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return;
  Device& device = slots_[found->second];
  device.alert_ms = std::max(device.alert_ms, at_ms);
  queue(found->second, true);
}

void DeviceTable::expire(int64_t before_ms) {
  while (slots_[0].newer != 0 && slots_[slots_[0].newer].seen_ms < before_ms) remove(slots_[0].newer);
}

void DeviceTable::clear() {
  while (slots_[0].newer != 0) remove(slots_[0].newer);
}

const Device* DeviceTable::find(std::string_view id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &slots_[found->second];
}

const Device* DeviceTable::take_change(uint32_t& slot, bool& full_row) {
  while (!changes_.empty()) {
    slot = changes_.front();
    changes_.pop_front();
    Device& device = slots_[slot];
    if (!std::exchange(device.queued, false)) continue;
    full_row = std::exchange(device.full_row, false);
    return &device;
  }
  return nullptr;
}

uint32_t DeviceTable::slot_of(std::string_view id) {
  if (const auto found = by_id_.find(id); found != by_id_.end()) return found->second;
  if (by_id_.size() >= devices_max_) remove(slots_[0].newer);
  uint32_t slot;
  if (free_.empty()) {
    slot = static_cast<uint32_t>(slots_.size());
    slots_.emplace_back();
  } else {
    slot = free_.back();
    free_.pop_back();
  }
  Device& device = slots_[slot];
  device.id = id;
  device.older = device.newer = slot;
  by_id_.emplace(device.id, slot);
  queue(slot, true);
  return slot;
}

void DeviceTable::remove(uint32_t slot) {
  Device& device = slots_[slot];
  unlink(slot);
  set_status(device, -1);
  by_id_.erase(device.id);
  if (device.queued) std::erase(changes_, slot);
  device = Device{};
  free_.push_back(slot);
  gone_.push_back(slot);
}

void DeviceTable::touch(uint32_t slot) {
  unlink(slot);
  Device& device = slots_[slot];
  device.older = slots_[0].older;
  device.newer = 0;
  slots_[device.older].newer = slot;
  slots_[0].older = slot;
}

void DeviceTable::unlink(uint32_t slot) {
  Device& device = slots_[slot];
  slots_[device.older].newer = device.newer;
  slots_[device.newer].older = device.older;
  device.older = device.newer = slot;
}

void DeviceTable::queue(uint32_t slot, bool full_row) {
  Device& device = slots_[slot];
  device.full_row |= full_row;
  if (!std::exchange(device.queued, true)) changes_.push_back(slot);
}

int DeviceTable::status_index(std::string_view status) {
  status = status.substr(0, kStatusBytesMax);
  const auto found = std::find(statuses_.begin(), statuses_.end(), status);
  if (found != statuses_.end()) return static_cast<int>(found - statuses_.begin());
  if (statuses_.size() == kStatusesMax) return kStatusesMax - 1;
  statuses_.emplace_back(status);
  status_counts_.push_back(0);
  return static_cast<int>(statuses_.size()) - 1;
}

void DeviceTable::set_status(Device& device, int status) {
  if (device.status >= 0) --status_counts_[device.status];
  device.status = status;
  if (status >= 0) ++status_counts_[status];
}

}  // namespace headrace::console
