// SPDX-License-Identifier: BSD-3-Clause
//
// datapath/message_queue.hpp - what the guest has to say: that it is short of memory. Counted here,
//                            for whoever moves targets.
// Source: "virtio-balloon: add pressure notification via a new virtqueue" (2013): buffers for the
//         device to read, full of little-endian 32-bit messages, in place of DEFLATE_ON_OOM's bit.
#pragma once

#include <cstdint>

#include "datapath/device_queue.hpp"
#include "datapath/pfn_reader.hpp"

namespace vballoon::datapath {

class MessageQueue final : public DeviceQueue {
 public:
  static constexpr bool kComesAlone = true;

  using DeviceQueue::DeviceQueue;

  [[nodiscard]] bool has_work() const noexcept { return ring_.has_work(); }
  void serve() noexcept;

 private:
  [[nodiscard]] std::uint32_t take(virtq::Head head) noexcept;
  [[nodiscard]] std::uint32_t listen(PfnReader* reader) noexcept;
  void count(std::uint32_t message) noexcept;
};

}  // namespace vballoon::datapath
