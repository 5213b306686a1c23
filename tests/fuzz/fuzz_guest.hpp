// SPDX-License-Identifier: BSD-3-Clause
//
// tests/fuzz/fuzz_guest.hpp - a guest's memory, and a host that discards when the input says so.
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <vector>

#include "driver/guest_ram.hpp"
#include "page_model.hpp"
#include "reclaim/discarder.hpp"
#include "reclaim/reclaimer.hpp"

namespace vballoon::fuzz {

inline constexpr std::uint64_t kLow = kMiB;
inline constexpr std::uint64_t kPlugged = 64 * kMiB;

/// A MiB for rings and buffers, and the model's pages, in two pieces.
inline const driver::GuestRam& ram() {
  static const driver::GuestRam kRam =
      driver::GuestRam::create(
          {{{Gpa{0}, kLow + pages_to_bytes(PageModel::kFirst), 0, 0},
            {Gpa{kPlugged}, pages_to_bytes(PageModel::kPages - PageModel::kFirst), 0,
             kLow + pages_to_bytes(PageModel::kFirst)}}})
          .value();
  return kRam;
}

inline std::shared_ptr<const gmem::GuestMemory> memory(bool plugged) {
  std::vector<gmem::RegionSpec> specs;
  for (const gmem::Region& region : ram().map().regions()) {
    if (!plugged && region.first == Gpa{kPlugged}) continue;
    specs.push_back({region.first, region.bytes, region.host, region.fd.get(), region.file_offset});
  }
  return gmem::GuestMemory::create(specs).value();
}

inline Gpa gpa_of_page(std::uint32_t page) {
  if (page >= PageModel::kFirst) return Gpa{kPlugged + pages_to_bytes(page - PageModel::kFirst)};
  return Gpa{kLow + pages_to_bytes(page)};
}

/// Carries batches out inline, or when the input says so.
class Sink final : public reclaim::BatchSink {
 public:
  Sink(reclaim::Discarder& discarder, bool later) : discarder_(discarder), later_(later) {}

  [[nodiscard]] reclaim::Batch* acquire() noexcept override {
    for (reclaim::Batch& batch : batches_) {
      if (in_use_[static_cast<std::size_t>(&batch - batches_.data())]) continue;
      in_use_[static_cast<std::size_t>(&batch - batches_.data())] = true;
      return &batch;
    }
    return nullptr;
  }
  [[nodiscard]] bool submit(reclaim::Batch* batch) noexcept override {
    waiting_.push_back(batch);
    if (!later_) step();
    return true;
  }
  [[nodiscard]] std::uint64_t bytes_per_pass() const noexcept override { return 2 * kMiB; }

  void step() {
    if (waiting_.empty()) return;
    reclaim::Batch* const batch = waiting_.front();
    waiting_.pop_front();
    reclaim::carry_out(*batch, discarder_);
    in_use_[static_cast<std::size_t>(batch - batches_.data())] = false;
    batch->owner->complete(*batch);
  }
  [[nodiscard]] bool idle() const { return waiting_.empty(); }

 private:
  reclaim::Discarder& discarder_;
  const bool later_;
  std::array<reclaim::Batch, 3> batches_;
  std::array<bool, 3> in_use_{};
  std::deque<reclaim::Batch*> waiting_;
};

}  // namespace vballoon::fuzz
