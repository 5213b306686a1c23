// SPDX-License-Identifier: BSD-3-Clause
//
// keep/book.hpp - memory that outlives the process, with a page for each VM, by its name.
// Thread: one owner. What is on a page is its owner's business.
// Why:    a process that is killed leaves no note, whatever it was doing. So what the next one has
//         to know lies in a memfd that the service manager keeps (keep/store.hpp): a store there
//         costs no system call, and is not lost. The memory ends with the host's boot, so times of
//         a monotonic clock may be in it.
// Source: memfd_create(2), F_ADD_SEALS of fcntl(2).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "keep/store.hpp"

namespace vballoon::keep {

/// Whose page it is: the first bytes of each. They may be anything.
class PageName {
 public:
  static constexpr std::size_t kLongest = 64;

  /// Empty: nobody's.
  [[nodiscard]] std::string_view text() const noexcept;
  [[nodiscard]] bool is(std::string_view name) const noexcept;

  /// The page is this one's from here on. A process that ends before leaves nobody's page.
  /// @pre 1 to kLongest bytes; the rest of the page is as a new one is to be.
  void set(std::string_view name) noexcept;
  /// The page is nobody's from here on.
  void clear() noexcept;

 private:
  std::array<char, kLongest> text_;
};

class Book {
 public:
  static constexpr std::size_t kPages = 1024;
  /// Bytes that are of no VM.
  static constexpr std::size_t kFrontBytes = 64;

  struct Form {
    std::string_view name;       ///< under which the service manager keeps the book
    std::string_view of;         ///< what is in it, for messages
    std::uint64_t magic = 0;     ///< another one with each layout of the pages, and each meaning
    std::size_t page_bytes = 0;  ///< with the name; a multiple of 8
  };

  /// An empty one. @errors kHost with the reason.
  [[nodiscard]] static Result<Book> make(const Form& form);
  /// One that another process made.
  /// @errors kInvalidArgument: it is not of this form. kHost with the reason.
  [[nodiscard]] static Result<Book> adopt(const Form& form, UniqueFd fd);
  /// The one that an earlier process left; else an empty one, which the service manager keeps from
  /// here on. If there is one of another form, the log says that it is given up.
  /// @pre store.keeps(). @errors kHost with the reason.
  [[nodiscard]] static Result<Book> open(const Form& form, Inherited& inherited,
                                         const Store& store);

  Book(Book&& other) noexcept;
  Book& operator=(Book&&) = delete;
  ~Book();

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }

  /// Every byte of a page may be anything. Pages live as long as the book.
  /// @return the page of this name, or null.
  [[nodiscard]] PageName* find(std::string_view name) const noexcept;
  /// @return a page that is nobody's, or null: all are taken.
  [[nodiscard]] PageName* find_free() const noexcept;
  /// kFrontBytes, which are 0 in an empty book.
  [[nodiscard]] std::byte* front() const noexcept;
  /// Pages of all others are nobody's from here on.
  void keep_only(const std::function<bool(std::string_view)>& is_there) const;

 private:
  Book(UniqueFd fd, std::byte* memory, std::size_t page_bytes) noexcept
      : fd_(std::move(fd)), memory_(memory), page_bytes_(page_bytes) {}
  [[nodiscard]] PageName& page(std::size_t i) const noexcept;

  UniqueFd fd_;
  std::byte* memory_;
  std::size_t page_bytes_;
};

}  // namespace vballoon::keep
