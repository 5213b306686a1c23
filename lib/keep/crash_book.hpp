// SPDX-License-Identifier: BSD-3-Clause
//
// keep/crash_book.hpp - the crashes of each VM's doing, for the processes to come.
// Thread: note() any thread's signal handler; the others one owner at a time.
// Why:    a VM that crashes the daemon again and again is to be set aside, and no other. Whoever
//         crashes can do no more than store a number, and so stores it into a book (keep/book.hpp).
// Source: signal-safety(7).
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "keep/book.hpp"
#include "keep/store.hpp"

namespace vballoon::keep {

/// One VM's, as it lies in the file. Every value may be anything: the file was another process's.
class CrashPage {
 public:
  static constexpr std::size_t kLongestName = PageName::kLongest;
  /// The newest crashes; older ones are forgotten.
  static constexpr std::size_t kCrashes = 5;
  static constexpr std::uint64_t kWindowMs = 10ULL * 60 * 1000;

  [[nodiscard]] std::string_view name() const noexcept { return name_.text(); }
  /// Whose page it is from now on, and an empty one; no name: nobody's. @pre <= kLongestName
  void begin(std::string_view name) noexcept;

  /// A process is about to end by a crash of this VM's doing. Safe in a signal handler.
  void note(std::uint64_t at_ms) noexcept;

  /// How many crashes there were in the last 10 minutes before the newest one, it included; at most
  /// kCrashes. A time that is yet to come is none.
  [[nodiscard]] unsigned crashes(std::uint64_t now_ms) const noexcept;
  /// Whether there was any since this was asked last.
  [[nodiscard]] bool take_news() noexcept { return news_.exchange(0) != 0; }
  void forget_crashes() noexcept;

  /// A number that the owner of the page keeps there; 0 on an empty page.
  [[nodiscard]] std::uint32_t verdict() const noexcept { return verdict_.load(); }
  void set_verdict(std::uint32_t verdict) noexcept { verdict_.store(verdict); }

 private:
  PageName name_;
  std::array<std::atomic<std::uint64_t>, kCrashes> at_ms_;  // 0: none
  std::atomic<std::uint32_t> next_;
  std::atomic<std::uint32_t> news_;
  std::atomic<std::uint32_t> verdict_;
  [[maybe_unused]] std::array<std::uint32_t, 3> unused_;
};
static_assert(sizeof(CrashPage) == 128);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

class CrashBook {
 public:
  static constexpr std::size_t kPages = Book::kPages;

  /// As those of Book.
  [[nodiscard]] static Result<CrashBook> make();
  [[nodiscard]] static Result<CrashBook> adopt(UniqueFd fd);
  [[nodiscard]] static Result<CrashBook> open(Inherited& inherited, const Store& store);

  [[nodiscard]] int fd() const noexcept { return book_.fd(); }

  /// This VM's, or an empty one for it. @return null where all pages are taken, or the name is too
  /// long. It lives as long as the book.
  [[nodiscard]] CrashPage* page_of(std::string_view name) noexcept;
  /// Empties the pages of all VMs of which this says no.
  void keep_only(const std::function<bool(std::string_view)>& is_there) {
    book_.keep_only(is_there);
  }

 private:
  explicit CrashBook(Book book) noexcept : book_(std::move(book)) {}
  [[nodiscard]] static Result<CrashBook> of(Result<Book> book);

  Book book_;
};

}  // namespace vballoon::keep
