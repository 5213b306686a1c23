// SPDX-License-Identifier: BSD-3-Clause
//
// tests/fuzz/machine.hpp - a data path and the memory of its guest, as the fuzzers of both kinds of
//                          device run them: what holds whatever the device is.
// Source: section 5 of the design, 1 to 5.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/check.hpp"
#include "datapath/data_path.hpp"
#include "driver/driver_queue.hpp"
#include "fuzz_guest.hpp"
#include "fuzz_input.hpp"

namespace vballoon::fuzz {

inline constexpr std::uint64_t kArena = 512 * kKiB;

class Machine : public reclaim::Discarder {
 protected:
  /// What an input chooses for either kind.
  struct Traits {
    bool packed, honest, later;
    unsigned ring_size;
  };

  /// @param large  see datapath::ConfigSpace.
  Machine(const Traits& traits, const std::optional<wire::large::Config>& large,
          const reclaim::ReclaimLimits& limits)
      : config_(large), sink_(*this, traits.later), path_(config_, limits), traits_(traits) {
    path_.set_sink(sink_);
    path_.set_memory(memory(true));
  }

  /// Takes back what the device has used.
  virtual void collect() = 0;
  /// The device owes the driver a buffer that no driver has to wait long for.
  [[nodiscard]] virtual bool owes() const { return false; }
  virtual void check_counts() const {
    const std::uint64_t ballooned = path_.counters().ballooned_pages.get();
    VB_CHECK(ballooned <= bytes_to_pages(path_.counters().guest_bytes.get()));
    VB_CHECK(path_.counters().stranded_pages.get() <= ballooned);
    VB_CHECK(path_.reclaim_counters().reclaimed_pages.get() <= ballooned);
  }
  /// What is to be discarded is whole pages, and nothing while the operator is promised so.
  void check_discard(std::uint64_t offset, std::uint64_t bytes) const {
    VB_CHECK(offset % kPageSize == 0 && bytes % kPageSize == 0 && bytes != 0);
    VB_CHECK(!inhibited_);
  }
  /// A used ring as an honest driver may see it.
  static void check_lawful(const driver::DriverQueue& queue) {
    const driver::Violations& seen = queue.violations();
    VB_CHECK(seen.unknown_id + seen.not_outstanding + seen.index_jump + seen.out_of_order == 0);
  }

  /// A hostile guest writes over its rings and buffers.
  void write(Input& input) const {
    const std::uint64_t offset = (std::uint64_t{input.byte()} << 16U | input.word()) % kArena;
    const auto bytes = input.bytes(input.byte() % 32U);
    if (traits_.honest || offset + bytes.size() > kArena) return;
    std::ranges::copy(bytes, ram().at(Gpa{offset}, bytes.size()).begin());
  }
  /// From then on nothing is discarded, as the operator is promised.
  void inhibit(bool on) {
    path_.inhibit(on);
    if (on) quiesce();
    inhibited_ = on;
  }
  void poll() {
    static_cast<void>(path_.poll());
    collect();
    check_counts();
  }
  /// What a device must do within some passes, whatever its guest does.
  void settle() {
    for (unsigned passes = 0; path_.poll() || !sink_.idle() || owes(); ++passes) {
      VB_CHECK(passes < 100'000);
      sink_.step();
      collect();
      if (!traits_.honest && passes > 1000) break;
    }
    collect();
  }
  void quiesce() {
    for (unsigned passes = 0; !path_.quiesce(); ++passes) {
      VB_CHECK(passes < 10'000);
      sink_.step();
    }
    collect();
  }

  [[nodiscard]] std::unique_ptr<driver::DriverQueue> make_queue(driver::Arena& arena,
                                                                unsigned indirect_entries) const {
    return std::make_unique<driver::DriverQueue>(
        driver::DriverQueue::create(ram(), arena,
                                    {.size = traits_.ring_size,
                                     .indirect_entries = indirect_entries,
                                     .wait = driver::WaitMode::kSpin,
                                     .packed = traits_.packed,
                                     .in_order = true})
            .value());
  }
  /// Has the device serve this ring of the driver's.
  void serve(wire::Role role, unsigned index, const driver::DriverQueue& queue,
             std::uint16_t position, bool resumed) {
    const driver::RingPlace place = queue.place();
    datapath::QueueSetup setup;
    setup.index = index;
    setup.resumed = resumed;
    const unsigned size = traits_.ring_size;
    if (traits_.packed) {
      setup.areas = virtq::PackedAreas{place.descriptors, place.driver, place.device, size};
    } else {
      setup.areas = virtq::SplitAreas{place.descriptors, place.driver, place.device, size};
    }
    setup.position = virtq::look_at(setup.areas, position, *path_.memory()).position;
    VB_CHECK(path_.start(role, setup).has_value());
  }

  datapath::ConfigSpace config_;
  Sink sink_;
  datapath::DataPath path_;

 private:
  const Traits traits_;
  bool inhibited_ = false;
};

}  // namespace vballoon::fuzz
