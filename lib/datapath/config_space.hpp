// SPDX-License-Identifier: BSD-3-Clause
//
// datapath/config_space.hpp - the 16 bytes that driver and device share.
// Thread: the device's lock guards writes of num_pages and of hint commands; the vhost event thread
//         serves reads and writes of the VMM. Each field is atomic on its own, as config space is
//         (VIRTIO 1.2, 2.5.1).
// Source: VIRTIO 1.2, 5.5.4. Little-endian.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/units.hpp"
#include "wire/balloon_config.hpp"
#include "wire/large_balloon.hpp"

namespace vballoon::datapath {

class ConfigSpace {
 public:
  /// Of the stock device.
  ConfigSpace() noexcept = default;
  /// @param large  of device 13: it reads as this, for good, and writes change nothing
  ///               (docs/device-13.md, DEV-2). Nothing: of the stock device.
  explicit ConfigSpace(const std::optional<wire::large::Config>& large) noexcept : large_(large) {}

  [[nodiscard]] const std::optional<wire::large::Config>& large() const noexcept { return large_; }
  /// The device's wish in units of device 13. @pre large()
  [[nodiscard]] std::uint64_t target_units() const noexcept {
    return pages_to_bytes(num_pages()) >> large_->page_shift;
  }

  [[nodiscard]] std::uint32_t num_pages() const noexcept { return get(num_pages_); }
  /// As it reads in config space; what of it is known: knows_actual().
  [[nodiscard]] std::uint32_t actual() const noexcept { return get(actual_); }
  /// Whether the driver said so, or has just begun. One that goes on says nothing until it moves.
  /// Of device 13 the ledger says it, and nobody is asked.
  [[nodiscard]] bool knows_actual() const noexcept {
    return large_.has_value() || get(knows_actual_) != 0;
  }
  /// The driver that said it is gone, or went somewhere else and came back.
  void forget_actual() noexcept { set(knows_actual_, 0); }
  [[nodiscard]] std::uint32_t poison_value() const noexcept { return get(poison_value_); }

  /// The device's wish, in 4 KiB pages (5.5.6.1).
  void set_num_pages(std::uint32_t pages) noexcept { set(num_pages_, pages); }

  /// A new driver's balloon is empty, whatever the last one said of its own, and it hints nothing.
  void begin_anew() noexcept;

  /// What the driver is to do about hints, or the id of the round that it is in.
  [[nodiscard]] std::uint32_t hint_command() const noexcept { return get(hint_command_); }
  /// A new round's id was not in use for 2^32 rounds: the driver may still say the last one's.
  /// @return the command as it now stands.
  std::uint32_t command_hints(wire::HintAction action) noexcept;

  /// The driver is the one that wrote these.
  /// @param knows  whether it wrote the first.
  void restore_driver_fields(std::uint32_t actual, bool knows, std::uint32_t poison) noexcept {
    set(actual_, actual);
    set(knows_actual_, knows ? 1 : 0);
    set(poison_value_, poison);
  }

  /// No driver is there: all that is its own is forgotten, the device's wish stands.
  void reset_driver_fields() noexcept;

  /// Fills out with the bytes from offset on; bytes beyond the space read as zero.
  /// @return false when nothing of it lies inside the space: offset >= 16.
  [[nodiscard]] bool read(std::uint32_t offset, std::span<std::byte> out) const noexcept;

  /// Takes over what is the driver's to write, actual and poison_val, and drops the rest: VMMs
  /// write the whole space back, a stale num_pages included. A field counts only when all 4 bytes
  /// come.
  /// @return false when the range leaves the space.
  [[nodiscard]] bool write(std::uint32_t offset, std::span<const std::byte> in) noexcept;

 private:
  [[nodiscard]] std::array<std::uint32_t, wire::kConfigBytes / 4> fields() const noexcept;

  using Field = std::atomic<std::uint32_t>;
  static std::uint32_t get(const Field& f) noexcept { return f.load(std::memory_order_relaxed); }
  static void set(Field& f, std::uint32_t v) noexcept { f.store(v, std::memory_order_relaxed); }

  const std::optional<wire::large::Config> large_;
  Field num_pages_{0};                   // written under the device's lock
  Field actual_{0};                      // written by the vhost event thread, for the driver
  Field knows_actual_{0};                // likewise
  Field poison_value_{0};                // likewise; read by the poll lcore
  Field hint_command_{wire::kHintDone};  // written under the device's lock; read by the poll lcore
  std::uint32_t last_round_ = wire::kHintDone;  // under the device's lock
};

}  // namespace vballoon::datapath
