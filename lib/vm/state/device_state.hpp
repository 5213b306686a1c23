// SPDX-License-Identifier: BSD-3-Clause
//
// vm/state/device_state.hpp - what of one device outlives the daemon, in a file that is mapped.
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
#include "vm/state/folder.hpp"

namespace vballoon::vm {

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
  bool knows_actual = true;  ///< its driver said so
  std::uint32_t poison = 0;
  bool complete = false;  ///< all that is in the ledger was discarded
  std::array<RingRecord, kRings> rings{};
};

/// Whether the operator wants a VM to be ballooned automatically, and what the configuration said
/// when that was asked for: the later word counts.
struct AutomaticWord {
  bool on = false;
  bool configured = false;
  friend bool operator==(const AutomaticWord&, const AutomaticWord&) = default;
};

/// Whether what the operator asked for is there for the next daemon.
struct Kept {
  bool kept = false;
  std::string why_not;  ///< empty where nothing is to be kept
};

/// The balloon that the operator asked for.
struct TargetWord {
  std::uint32_t pages = 0;
  std::uint32_t share = 0;  ///< 0: none; else millionths of the guest, to which pages follow
  bool forced = false;      ///< however little it leaves to the guest
  friend bool operator==(const TargetWord&, const TargetWord&) = default;
};

class DeviceState {
 public:
  /// Of the file there is, if it can be trusted; else of a new one, after a warning.
  /// @param folder  null: nothing is kept, and nothing below has any effect.
  /// @pre    the name is a device's (vm::check_name).
  DeviceState(const Folder* folder, std::string name);
  ~DeviceState();
  DeviceState(const DeviceState&) = delete;
  DeviceState& operator=(const DeviceState&) = delete;

  // --- The operator's wishes ---
  // They hold as long as this lives, whether they can be kept or not: kept() says.

  [[nodiscard]] std::optional<TargetWord> target() const noexcept { return wishes_.target; }
  void set_target(TargetWord word);
  [[nodiscard]] bool inhibited() const noexcept { return wishes_.inhibited; }
  void set_inhibited(bool on);
  [[nodiscard]] std::optional<AutomaticWord> automatic() const noexcept {
    return wishes_.automatic;
  }
  void set_automatic(AutomaticWord word);

  /// Whether the next daemon will find all of them.
  [[nodiscard]] bool kept() const noexcept {
    return elder_ != nullptr || (file_ != nullptr && named_);
  }
  /// Why not; empty where they are, and where nothing is to be kept.
  [[nodiscard]] std::string why_not() const { return kept() ? std::string() : why_not_; }
  /// Whether keep() has something to do.
  [[nodiscard]] bool unfinished() const noexcept {
    return folder_ != nullptr && (!kept() || (file_ != nullptr && !named_));
  }
  /// Tries again what could not be done.
  void keep();

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
  void commit(bool same_guest);

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
  void set_driver_fields(std::uint32_t actual_pages, bool knows_actual,
                         std::uint32_t poison) noexcept;

  /// A page of the file had no room in the folder: the file is of nobody from then on.
  [[nodiscard]] bool lost() const noexcept;
  void give_up_lost();

  /// Null where nothing is kept.
  [[nodiscard]] RingRecord* ring(std::size_t index) noexcept;

  /// Nothing of this device is to be found by the next daemon.
  void remove() noexcept;

 private:
  class File;
  struct Wishes {
    std::optional<TargetWord> target;
    bool inhibited = false;
    std::optional<AutomaticWord> automatic;
  };
  [[nodiscard]] std::unique_ptr<File> load() const;
  [[nodiscard]] std::unique_ptr<File> make(const gmem::GuestMemory* memory);
  void load_wishes() noexcept;
  void write_wishes();
  static void put_wishes(const Wishes& wishes, File* file) noexcept;
  static void forget(File* file) noexcept;
  [[nodiscard]] bool rename();
  void give_name();
  void note_name() noexcept;
  void look_after_name();
  void fail_to(std::string_view what, std::string_view why);

  const Folder* folder_;
  const std::string name_;
  Wishes wishes_;
  std::unique_ptr<File> file_;   // of the ledger and the marks; null: these are kept nowhere
  bool named_ = false;           // file_ is what the next daemon finds
  std::unique_ptr<File> elder_;  // else this one is, of which the wishes alone are true; or null
  std::unique_ptr<File> next_;   // to be file_ from commit() on
  bool give_up_ = false;         // there was no room for one: null is
  bool told_ = false;            // the operator, that something cannot be kept
  std::string why_not_;
  std::uint64_t inode_ = 0;  // of the file that the next daemon finds
};

}  // namespace vballoon::vm
