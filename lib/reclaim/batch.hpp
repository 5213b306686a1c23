// SPDX-License-Identifier: BSD-3-Clause
//
// reclaim/batch.hpp - pieces of one file that are given back (or fetched) together, and who does
// it.
// Thread: one owner at a time: the poll lcore fills it, whoever discards works on it, the poll
//         lcore takes it back. The ring between them orders everything behind the pointer, `done`
//         the rest.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/size_histogram.hpp"
#include "base/units.hpp"

namespace vballoon::reclaim {

class HugeFile;
class Handover;

/// On which account pages are given back; or, prefaulted, put there again for a guest that wants
/// them back.
enum class Account : std::uint8_t {
  kInflated,
  kReported,
  kPrefaulted,
  kReturned,  ///< fetched as well, and the guest gets only what came
};
[[nodiscard]] constexpr bool fetches(Account account) noexcept {
  return account == Account::kPrefaulted || account == Account::kReturned;
}

/// A hole to be punched, or filled: bytes of a file, whole host pages. A piece is at most a block
/// long; one of huge pages that are given back may be longer.
struct Piece {
  std::uint64_t offset;
  std::uint64_t bytes;
};

/// Enough to make handing it over cheap, little enough to be done within about 2 ms: others wait
/// behind it.
struct Batch {
  static constexpr std::size_t kPieces = 60;  // at most 64: `refused` has a bit for each
  static constexpr std::uint64_t kBytes = 16 * kMiB;
  /// Huge pages of a batch that makes long holes; kBytes does not bound such a batch. A huge page
  /// takes some microseconds, however large it is.
  static constexpr std::uint64_t kHugePages = 256;

  Handover* owner = nullptr;
  int fd = -1;
  HugeFile* huge_file = nullptr;  // where its pool must be able to give back what is discarded
  std::byte* mapping = nullptr;   // of the file's start, where prefaulting needs one; else null
  std::uint32_t count = 0;        // pieces
  std::uint64_t bytes = 0;        // their sum
  std::uint64_t room = kBytes;    // the batch is full from so many bytes on
  std::uint64_t host_bytes = 0;   // prefaulted: of the host pages that the pieces touch
  Account account = Account::kInflated;
  // Filled in by whoever discards:
  std::uint32_t calls = 0;    // of the kernel
  std::uint32_t failed = 0;   // pieces that the kernel refused
  std::uint64_t refused = 0;  // which: bit i for piece i
  std::uint32_t skipped = 0;  // pieces that were not tried, the last ones; refused as well
  std::uint64_t skipped_bytes = 0;
  bool uncovered = false;         // none was tried: the pool could not give them back; all refused
  std::uint64_t done_bytes = 0;   // of the others
  SizeHistogram::Counts holes;    // that were punched
  std::uint64_t moved_bytes = 0;  // by which the file shrank (prefaulted: grew)
  /// It may be taken back: stored (release) by whoever carried it out, last of all; asked by its
  /// owner (acquire). Never set where the sink tells the owner itself.
  std::atomic<bool> done{false};
  std::array<Piece, kPieces> pieces;  // [0, count) are set

  /// An empty batch for this file; the pieces of its last use are left behind.
  void begin(Handover* for_owner, int file, Account on_account) noexcept {
    owner = for_owner;
    fd = file;
    huge_file = nullptr;
    mapping = nullptr;
    room = kBytes;
    account = on_account;
    count = calls = failed = skipped = 0;
    bytes = host_bytes = done_bytes = moved_bytes = skipped_bytes = refused = 0;
    uncovered = false;
    holes = {};
  }
  [[nodiscard]] bool full() const noexcept { return count == kPieces || bytes >= room; }
  void add(Piece piece) noexcept {
    pieces[count++] = piece;
    bytes += piece.bytes;
  }
  /// Makes the last piece longer, where this one lies beside it in the file. @return whether so
  [[nodiscard]] bool join(Piece piece) noexcept {
    if (count == 0) return false;
    Piece& last = pieces[count - 1];
    const bool behind = last.offset + last.bytes == piece.offset;
    const bool before = piece.offset + piece.bytes == last.offset;
    if (!behind && !before) return false;
    if (before) last.offset = piece.offset;
    last.bytes += piece.bytes;
    bytes += piece.bytes;
    return true;
  }
};

class Discarder;
/// Punches (or fills) every piece, and notes what came of it; or none, where a pool is to be able
/// to give them back and is not.
void carry_out(Batch& batch, Discarder& discarder) noexcept;

/// Where a device's batches go. Used by the owner of its data path only.
class BatchSink {
 public:
  virtual ~BatchSink() = default;

  /// An empty batch, or null when none is free: try again in a later pass.
  [[nodiscard]] virtual Batch* acquire() noexcept = 0;

  /// Hands a filled batch over. Either its owner's complete() is called once, now or later, on the
  /// thread that called submit(); or `done` is set once, on any thread, and the owner release()s
  /// it.
  /// @return false when the way is full: the batch is still the caller's.
  [[nodiscard]] virtual bool submit(Batch* batch) noexcept = 0;

  /// The owner has looked at a batch that was `done`, and needs it no more.
  virtual void release(Batch* /*batch*/) noexcept {}

  /// What a device may hand over in one pass, in bytes.
  [[nodiscard]] virtual std::uint64_t bytes_per_pass() const noexcept = 0;
};

/// Discards at once, on the caller's own thread: no reclaim lcores.
class InlineSink final : public BatchSink {
 public:
  explicit InlineSink(Discarder& discarder) noexcept : discarder_(discarder) {}

  [[nodiscard]] Batch* acquire() noexcept override;
  [[nodiscard]] bool submit(Batch* batch) noexcept override;
  [[nodiscard]] std::uint64_t bytes_per_pass() const noexcept override { return kBytesPerPass; }

 private:
  /// 1 to 2 ms on 4 KiB memory: other guests of the lcore wait that long.
  static constexpr std::uint64_t kBytesPerPass = 8 * kMiB;

  Discarder& discarder_;
  Batch batch_;
  bool in_use_ = false;
};

}  // namespace vballoon::reclaim
