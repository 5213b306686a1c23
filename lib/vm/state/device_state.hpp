// SPDX-License-Identifier: BSD-3-Clause
//
// vm/state/device_state.hpp - the state of one device that outlives the daemon, in a mapped file.
// Thread: the device's lock guards all but the words that this object lends: the data path's owner
//         writes the words of the ledger and each ring's mark.
// Source: section 9 of the design. All writes are plain stores: a process that is killed loses none
//         that it made. A host that crashes takes its guests along, so nothing is ever synced.
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

/// How far a ring came. `mark` is a virtq::Mark of a ring of this layout.
struct RingRecord {
  std::uint64_t mark = 0;
  std::uint32_t layout = 0;      ///< kNoRing until the ring was started
  std::uint32_t generation = 0;  ///< RingState's, stored after the first mark; 0: not known
};
inline constexpr std::uint32_t kNoRing = 0;
inline constexpr std::uint32_t kSplitRing = 1;
inline constexpr std::uint32_t kPackedRing = 2;

/// The state that an earlier daemon left of a guest.
struct Left {
  std::uint64_t features = 0;
  std::uint32_t actual_pages = 0;
  bool knows_actual = true;  ///< the driver has said its size
  std::uint32_t poison = 0;
  bool complete = false;  ///< all pages of the ledger were discarded
  std::array<RingRecord, kRings> rings{};
};

/// Whether the operator wants a VM to be ballooned automatically, and what the configuration had
/// when the operator said so. The later word counts.
struct AutomaticWord {
  bool on = false;
  bool configured = false;
  friend bool operator==(const AutomaticWord&, const AutomaticWord&) = default;
};

/// Whether the operator's wishes are kept for the next daemon.
struct Kept {
  bool kept = false;
  std::string why_not;  ///< empty where nothing has to be kept
};

/// The balloon that the operator asked for.
struct TargetWord {
  std::uint32_t pages = 0;
  std::uint32_t share = 0;  ///< 0: no share; else millionths of the guest, from which pages follow
  bool forced = false;      ///< the target stands however little it leaves to the guest
  friend bool operator==(const TargetWord&, const TargetWord&) = default;
};

class DeviceState {
 public:
  /// Uses the device's file if it can be trusted; otherwise makes a new file, after a warning.
  /// @param folder  null: nothing is kept, and no function below has an effect on any file.
  /// @pre    the name is a valid device name (vm::check_name).
  /// @param page_sizes  of a device 13, as in its configuration: a file of other sizes keeps its
  ///                    wishes only. 0: the stock device.
  DeviceState(const Folder* folder, std::string name, std::uint32_t page_sizes = 0);
  ~DeviceState();
  DeviceState(const DeviceState&) = delete;
  DeviceState& operator=(const DeviceState&) = delete;

  // --- The operator's wishes ---
  // They hold while this object lives, whether a file keeps them or not: kept() says which.

  [[nodiscard]] std::optional<TargetWord> target() const noexcept { return wishes_.target; }
  void set_target(TargetWord word);
  [[nodiscard]] bool inhibited() const noexcept { return wishes_.inhibited; }
  void set_inhibited(bool on);
  [[nodiscard]] std::optional<AutomaticWord> automatic() const noexcept {
    return wishes_.automatic;
  }
  void set_automatic(AutomaticWord word);

  /// Whether a file has all wishes for the next daemon.
  [[nodiscard]] bool kept() const noexcept {
    return elder_ != nullptr || (file_ != nullptr && named_);
  }
  /// The reason where they are not kept; empty where they are, and where nothing has to be kept.
  [[nodiscard]] std::string why_not() const { return kept() ? std::string() : why_not_; }
  /// Whether keep() has work.
  [[nodiscard]] bool unfinished() const noexcept {
    return folder_ != nullptr && (!kept() || (file_ != nullptr && !named_));
  }
  /// Tries again to make or to name a file, after a failure.
  void keep();

  // --- The guest ---

  struct Room {
    std::span<std::uint64_t> words;    ///< a bit a page; empty where nothing is kept
    std::span<std::uint64_t> touched;  ///< a bit for every 4 KiB of words: where any may be set
    bool filled = false;               ///< `words` is the ledger that this memory's guest left
    // Of a device 13; see reclaim::LedgerRoom.
    std::span<std::uint64_t> marks = {};
    std::span<std::uint64_t> marks_touched = {};
    std::span<std::uint64_t> leaving = {};
  };
  /// Room for the ledger of this memory. The present file serves if it is of the same regions of
  /// the same files; otherwise a new file is made, which becomes the device's by commit(). Words
  /// that were lent before stay mapped until then.
  [[nodiscard]] Room room_for(const gmem::GuestMemory& memory);
  /// Makes the file of room_for() the device's.
  /// @param same_guest  only the guest's memory changed: the new file gets the guest's state.
  void commit(bool same_guest);

  /// The VMM is gone, and nothing uses the words of room_for() any more. Of a guest that was never
  /// served only the wishes are kept, in a file without memory.
  void release();

  /// @return the state of the guest that was served last in this memory; nothing where there was
  ///         none.
  [[nodiscard]] std::optional<Left> left() const noexcept;
  /// From now on the state is of a driver that accepted these features, and not all pages of the
  /// ledger are discarded.
  void begin(std::uint64_t features) noexcept;
  /// From now on the state is of no guest: the ledger is going to change without its rings.
  void forget() noexcept;
  /// All pages of the ledger are discarded, and no page enters the ledger any more.
  void set_complete() noexcept;
  void set_driver_fields(std::uint32_t actual_pages, bool knows_actual,
                         std::uint32_t poison) noexcept;

  /// Whether the folder had no room for a page of the file. give_up_lost() then makes the file one
  /// of no guest.
  [[nodiscard]] bool lost() const noexcept;
  void give_up_lost();

  /// Where the serial of a device 13's newest target is kept. @return null where nothing is kept.
  [[nodiscard]] std::uint32_t* serial() noexcept;

  /// @return null where nothing is kept.
  [[nodiscard]] RingRecord* ring(std::size_t index) noexcept;

  // --- A connection that outlives the daemon ---

  /// The file that the next daemon reads, where it has all that there is: ledger and marks, once
  /// there is a guest. Otherwise 0.
  [[nodiscard]] std::uint64_t inode() const noexcept {
    return (file_ != nullptr ? named_ : elder_ != nullptr) ? inode_ : 0;
  }
  /// From now on a file that is replaced keeps a name, by which choose_file() finds it, until
  /// drop_elder(). What is recorded of the connection names the one file or the other.
  void keep_elder() noexcept { keeps_elder_ = true; }
  void drop_elder() noexcept;
  /// Makes the file with this inode the one that the next DeviceState reads.
  /// @return  false where there is no such file.
  [[nodiscard]] static bool choose_file(const Folder& folder, const std::string& name,
                                        std::uint64_t inode) noexcept;
  /// The guest lives on with the next daemon: release() replaces no file.
  void hold() noexcept { held_ = true; }

  /// Removes the device's files, so that the next daemon knows nothing of this device.
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
  const std::uint32_t page_sizes_;
  Wishes wishes_;
  std::unique_ptr<File> file_;   // has the ledger and the marks; null: these are not kept
  bool named_ = false;           // file_ has the name that the next daemon reads
  std::unique_ptr<File> elder_;  // where file_ has not: the file that has; only its wishes are true
  std::unique_ptr<File> next_;   // becomes file_ by commit()
  bool give_up_ = false;         // no file could be made: commit() makes file_ null
  bool keeps_elder_ = false;
  bool has_elder_ = false;  // a file has the elder's name
  bool held_ = false;
  bool told_ = false;  // the log has said that something cannot be kept
  std::string why_not_;
  std::uint64_t inode_ = 0;  // of the file with the name that the next daemon reads
};

}  // namespace vballoon::vm
