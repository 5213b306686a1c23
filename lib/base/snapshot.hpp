// SPDX-License-Identifier: BSD-3-Clause
//
// base/snapshot.hpp - a small record that one thread publishes and others read whole.
// Thread: one writer, which never waits; readers retry while a write is under way.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace vballoon {

/// A sequence lock. The words are atomics, so that a torn read is discarded but never undefined.
template <typename T>
class Snapshot {
  static_assert(std::is_trivially_copyable_v<T>);
  static constexpr std::size_t kWords = (sizeof(T) + 7) / 8;

 public:
  Snapshot() noexcept { store(T{}); }

  /// @pre The caller is the one writer.
  void store(const T& record) noexcept {
    std::array<std::uint64_t, kWords> words{};
    std::memcpy(words.data(), &record, sizeof(T));
    const std::uint64_t sequence = sequence_.load(std::memory_order_relaxed);
    // The exchange, an acquiring RMW, keeps the words below it: odd is seen before any of them.
    sequence_.exchange(sequence + 1, std::memory_order_acq_rel);
    for (std::size_t i = 0; i < kWords; ++i) words_[i].store(words[i], std::memory_order_release);
    sequence_.store(sequence + 2, std::memory_order_release);
  }

  [[nodiscard]] T load() const noexcept {
    T record;
    for (;;) {
      const std::uint64_t before = sequence_.load(std::memory_order_acquire);
      // Acquire pairs with the release store of each word: a word of a later write brings that
      // write's odd sequence with it, so the check below cannot miss it.
      for (std::size_t i = 0; i < kWords; ++i) copy_word(i, &record);
      if (before % 2 == 0 && sequence_.load(std::memory_order_relaxed) == before) return record;
    }
  }

 private:
  void copy_word(std::size_t i, T* record) const noexcept {
    const std::uint64_t word = words_[i].load(std::memory_order_acquire);
    const std::size_t at = 8 * i;
    std::memcpy(reinterpret_cast<std::byte*>(record) + at, &word, std::min(sizeof(T) - at, 8UL));
  }

  std::atomic<std::uint64_t> sequence_{0};
  std::array<std::atomic<std::uint64_t>, kWords> words_{};
};

}  // namespace vballoon
