// SPDX-License-Identifier: BSD-3-Clause
#include "driver/pfn_sender.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/check.hpp"

namespace vballoon::driver {

PfnSender::PfnSender(std::vector<Slot> slots, unsigned batch)
    : slots_(std::move(slots)), batch_(batch) {
  for (std::uint64_t i = slots_.size(); i-- > 0;) free_.push_back(i);
}

Result<PfnSender> PfnSender::create(const GuestRam& ram, Arena& arena, unsigned batch,
                                    unsigned depth) {
  VB_CHECK(batch > 0 && depth > 0);
  const std::size_t bytes = batch * sizeof(Pfn);
  std::vector<Slot> slots;
  for (unsigned i = 0; i < depth; ++i) {
    const auto gpa = arena.take(bytes, sizeof(Pfn));
    if (!gpa) return tl::unexpected(gpa.error());
    slots.push_back({*gpa, ram.at(*gpa, bytes)});
  }
  return PfnSender(std::move(slots), batch);
}

void PfnSender::post(DriverQueue& queue, std::span<const Pfn> pfns) {
  const std::uint64_t slot = free_.back();
  free_.pop_back();
  std::memcpy(slots_[slot].bytes.data(), pfns.data(), pfns.size_bytes());
  const std::array<Segment, 1> segment{
      Segment{.addr = slots_[slot].gpa, .len = static_cast<std::uint32_t>(pfns.size_bytes())}};
  VB_CHECK(queue.add(segment, slot).has_value());
  ++traffic_.buffers;
  traffic_.pages += pfns.size();
}

void PfnSender::settle(const Used& used) {
  free_.push_back(used.cookie);
  traffic_.latency.record(static_cast<std::uint64_t>(used.latency.count()));
}

Result<void> PfnSender::send(DriverQueue& queue, std::span<const Pfn> pfns, const WaitUsed& wait) {
  while (!pfns.empty() || free_.size() < slots_.size()) {
    bool posted = false;
    while (!pfns.empty() && !free_.empty() && queue.free_descriptors() > 0) {
      const std::size_t n = std::min<std::size_t>(batch_, pfns.size());
      post(queue, pfns.first(n));
      pfns = pfns.subspan(n);
      posted = true;
    }
    if (posted) queue.publish();
    const auto used = wait(queue);
    if (!used) return tl::unexpected(used.error());
    settle(*used);
  }
  return {};
}

}  // namespace vballoon::driver
