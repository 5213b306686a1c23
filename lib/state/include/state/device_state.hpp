// SPDX-License-Identifier: BSD-3-Clause
//
// state/device_state.hpp - what of one device outlives the daemon, in a file that is mapped.
// Layer:  state; may include base/ and gmem/.
// Thread: the device's lock guards all of it, but for the words that it hands out: the ledger's
//         are the data path owner's, and so is each ring's mark.
// Source: section 9 of the design. Written by plain stores: a process that is killed loses none of
//         those it made. A host that crashes takes the guests along, so nothing is ever synced.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "gmem/guest_memory.hpp"
#include "state/folder.hpp"

namespace vballoon::state {

inline constexpr std::size_t kRings = 8;

/// How far a ring came. The mark is a virtq::Mark, of a ring of this layout.
struct RingRecord {
  std::uint64_t mark = 0;
  std::uint32_t layout = 0;  ///< kNoRing until one was started
  std::uint32_t reserved = 0;
};
inline constexpr std::uint32_t kNoRing = 0;
inline constexpr std::uint32_t kSplitRing = 1;
inline constexpr std::uint32_t kPackedRing = 2;

/// What a guest left behind.
struct Left {
  std::uint64_t features = 0;
  std::uint32_t actual_pages = 0;
  std::uint32_t poison = 0;
  bool complete = false;  ///< all that is in the ledger was discarded
  std::array<RingRecord, kRings> rings{};
};

/// Whether the operator wants a VM to be ballooned automatically, and what the configuration said when
/// that was asked for: the later word counts.
struct AutomaticWord {
  bool on = false;
  bool configured = false;
  friend bool operator==(const AutomaticWord&, const AutomaticWord&) = default;
};

class DeviceState {
 public:
  /// Of the file there is, if it can be trusted; else of a new one, after a warning.
  /// @param folder  null: nothing is kept, and nothing below has any effect.
  /// @pre    the name is a device's (vhost::check_name).
  DeviceState(const Folder* folder, std::string name);
  ~DeviceState();
  DeviceState(const DeviceState&) = delete;
  DeviceState& operator=(const DeviceState&) = delete;

  // --- The operator's wishes ---

  [[nodiscard]] std::optional<std::uint32_t> target_pages() const noexcept;
  void set_target_pages(std::uint32_t pages) noexcept;
  [[nodiscard]] bool inhibited() const noexcept;
  void set_inhibited(bool on) noexcept;
  [[nodiscard]] std::optional<AutomaticWord> automatic() const noexcept;
  void set_automatic(AutomaticWord word) noexcept;

  // --- The guest ---

  struct Room {
    std::span<std::uint64_t> words;    ///< a bit a page; none where nothing is kept
    std::span<std::uint64_t> touched;  ///< a bit for every 4 KiB of them: where any may be set
    bool filled = false;               ///< as they were left, by this very memory's guest
  };
  /// Room for the ledger of this memory: where the file is of it already (the same regions, of the
  /// same files) that one, else a new one, which is the device's from commit() on. What was handed
  /// out before stays mapped until then.
  [[nodiscard]] Room room_for(const gmem::GuestMemory& memory);
  /// @param same_guest  only its memory changed: what is known of it goes along.
  void commit(bool same_guest) noexcept;

  /// The VMM is gone, and so is all use of what room_for() gave. Of a guest that was never served
  /// only the wishes are kept, in a file of no memory.
  void release();

  /// Of the guest that was served last; nothing where none was, in this memory.
  [[nodiscard]] std::optional<Left> left() const noexcept;
  /// What is here is about a driver that accepted these features, and not all of it is discarded.
  void begin(std::uint64_t features) noexcept;
  /// It is about nobody any more: its ledger is going to change without its rings.
  void forget() noexcept;
  /// All that is in the ledger was discarded; nothing enters it any more.
  void set_complete() noexcept;
  void set_driver_fields(std::uint32_t actual_pages, std::uint32_t poison) noexcept;

  /// A page of the file had no room in the folder: the file is of nobody from then on.
  [[nodiscard]] bool lost() const noexcept;
  void give_up_lost();

  /// Null where nothing is kept.
  [[nodiscard]] RingRecord* ring(std::size_t index) noexcept;

  /// Nothing of this device is to be found by the next daemon.
  void remove() noexcept;

 private:
  class File;
  [[nodiscard]] std::unique_ptr<File> load() const;
  [[nodiscard]] std::unique_ptr<File> make(const gmem::GuestMemory* memory);
  void complain(std::string_view what, std::string_view why);

  const Folder* folder_;
  const std::string name_;
  std::unique_ptr<File> file_;  // null: nothing is kept
  std::unique_ptr<File> next_;  // without its name yet
  bool give_up_ = false;        // there was no room for another: nothing is kept from commit() on
  bool told_ = false;           // that nothing can be kept
};

}  // namespace vballoon::state
