// SPDX-License-Identifier: BSD-3-Clause
//
// base/zeroed_array.hpp - tables as large as a guest's RAM asks, of which little is used at first.
// Thread: as the elements'.
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <type_traits>

namespace vballoon {

/// A fixed number of elements, all bytes zero at first. The host provides memory page by page, when
/// something is written there: a VM whose balloon stays empty costs next to nothing.
template <typename T>
class ZeroedArray {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
  explicit ZeroedArray(std::size_t count) : elements_(map(count), Unmap{count, true}) {}
  /// Elements that the caller keeps, in memory of their own pages; as they are, zero or not.
  explicit ZeroedArray(std::span<T> kept) noexcept
      : elements_(kept.data(), Unmap{kept.size(), false}) {}

  /// Any thread: has the host provide its first `bytes` now, so that no later write there waits for
  /// a page. Best effort: a kernel before 5.14 does not know how.
  void provide(std::size_t bytes = SIZE_MAX) const noexcept {
    if (elements_ == nullptr) return;
    constexpr int kPopulateWrite = 23;  // MADV_POPULATE_WRITE
    static_cast<void>(::madvise(elements_.get(),
                                std::min(bytes, elements_.get_deleter().count * sizeof(T)),
                                kPopulateWrite));
  }

  [[nodiscard]] T& operator[](std::size_t i) noexcept { return elements_.get()[i]; }
  [[nodiscard]] const T& operator[](std::size_t i) const noexcept { return elements_.get()[i]; }

 private:
  struct Unmap {
    std::size_t count;
    bool ours;
    void operator()(T* elements) const noexcept {
      if (ours) ::munmap(elements, count * sizeof(T));
    }
  };
  static T* map(std::size_t count) {
    if (count == 0) return nullptr;
    void* const at = ::mmap(nullptr, count * sizeof(T), PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) throw std::bad_alloc();
    return static_cast<T*>(at);
  }

  std::unique_ptr<T, Unmap> elements_;
};

}  // namespace vballoon
