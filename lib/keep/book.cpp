// SPDX-License-Identifier: BSD-3-Clause
#include "keep/book.hpp"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include "base/check.hpp"
#include "base/log.hpp"
#include "keep/sealed_memory.hpp"

namespace vballoon::keep {
namespace {

struct Head {
  std::uint64_t magic = 0;
  std::uint32_t pages = Book::kPages;
  std::uint32_t page_bytes = 0;
  friend bool operator==(const Head&, const Head&) = default;
};

constexpr std::size_t kFrontAt = 64;
constexpr std::size_t kHeadBytes = kFrontAt + Book::kFrontBytes;
static_assert(sizeof(Head) <= kFrontAt);

Head head_of(const Book::Form& form) noexcept {
  return {form.magic, Book::kPages, static_cast<std::uint32_t>(form.page_bytes)};
}

constexpr std::size_t bytes_of(std::size_t page_bytes) noexcept {
  return kHeadBytes + Book::kPages * page_bytes;
}

tl::unexpected<Status> no_book(const Book::Form& form) {
  return fail(Code::kHost, fmt::format("no memory that outlives the daemon, for {}: {}", form.of,
                                       std::strerror(errno)));
}

/// What was stored before is in the memory before what is stored after. To a process that comes
/// later the order of instructions matters, and nothing else.
void in_this_order() noexcept {
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

}  // namespace

std::string_view PageName::text() const noexcept {
  const auto* const end = std::find(text_.begin(), text_.end(), '\0');
  return {text_.data(), static_cast<std::size_t>(end - text_.begin())};
}

bool PageName::is(std::string_view name) const noexcept {
  if (name.empty() || name.size() > kLongest) return false;
  if (std::memcmp(text_.data(), name.data(), name.size()) != 0) return false;
  return name.size() == kLongest || text_[name.size()] == '\0';
}

void PageName::set(std::string_view name) noexcept {
  VB_CHECK(!name.empty() && name.size() <= kLongest);
  text_.fill('\0');
  std::copy(name.begin() + 1, name.end(), text_.begin() + 1);
  in_this_order();
  text_[0] = name[0];
}

void PageName::clear() noexcept {
  text_[0] = '\0';
  in_this_order();
}

Book::Book(Book&& other) noexcept
    : fd_(std::move(other.fd_)),
      memory_(std::exchange(other.memory_, nullptr)),
      page_bytes_(other.page_bytes_) {}

Book::~Book() {
  if (memory_ != nullptr) ::munmap(memory_, bytes_of(page_bytes_));
}

Result<Book> Book::make(const Form& form) {
  const std::size_t bytes = bytes_of(form.page_bytes);
  UniqueFd fd = make_sealed("vballoon-book", bytes);
  if (!fd.valid()) return no_book(form);
  std::byte* const memory = map_sealed(fd.get(), bytes);
  if (memory == nullptr) return no_book(form);
  const Head head = head_of(form);
  std::memcpy(memory, &head, sizeof(head));
  return Book(std::move(fd), memory, form.page_bytes);
}

Result<Book> Book::adopt(const Form& form, UniqueFd fd) {
  const auto refused =
      fail(Code::kInvalidArgument,
           fmt::format("what is kept of {} is not of this daemon's form; it starts anew", form.of));
  const std::size_t bytes = bytes_of(form.page_bytes);
  if (!is_sealed(fd.get(), bytes)) return refused;
  std::byte* const memory = map_sealed(fd.get(), bytes);
  if (memory == nullptr) return no_book(form);
  Book book(std::move(fd), memory, form.page_bytes);
  Head head;
  std::memcpy(&head, memory, sizeof(head));
  if (head != head_of(form)) return refused;
  return book;
}

Result<Book> Book::open(const Form& form, Inherited& inherited, const Store& store) {
  if (auto fd = inherited.take(form.name)) {
    auto left = adopt(form, *std::move(fd));
    if (left) return left;
    log::info("{}", left.error().message);
    store.remove(form.name);
  }
  auto book = make(form);
  if (!book) return book;
  if (auto kept = store.add(form.name, book->fd()); !kept) return tl::unexpected(kept.error());
  return book;
}

PageName& Book::page(std::size_t i) const noexcept {
  return *std::launder(reinterpret_cast<PageName*>(memory_ + kHeadBytes + i * page_bytes_));
}

PageName* Book::find(std::string_view name) const noexcept {
  for (std::size_t i = 0; i < kPages; ++i) {
    if (page(i).is(name)) return &page(i);
  }
  return nullptr;
}

PageName* Book::find_free() const noexcept {
  for (std::size_t i = 0; i < kPages; ++i) {
    if (page(i).text().empty()) return &page(i);
  }
  return nullptr;
}

std::byte* Book::front() const noexcept {
  return memory_ + kFrontAt;
}

void Book::keep_only(const std::function<bool(std::string_view)>& is_there) const {
  for (std::size_t i = 0; i < kPages; ++i) {
    const std::string_view name = page(i).text();
    if (!name.empty() && !is_there(name)) page(i).clear();
  }
}

}  // namespace vballoon::keep
