// SPDX-License-Identifier: BSD-3-Clause
#include "keep/crash_book.hpp"

#include <algorithm>
#include <new>
#include <utility>

namespace vballoon::keep {
namespace {

constexpr Book::Form kForm{"crashes", "the daemon's crashes", 0x316b6f4272437656 /* VvCrBok1 */,
                           sizeof(CrashPage)};

}  // namespace

void CrashPage::begin(std::string_view name) noexcept {
  name_.clear();
  forget_crashes();
  verdict_.store(0);
  if (!name.empty()) name_.set(name);
}

void CrashPage::note(std::uint64_t at_ms) noexcept {
  at_ms_[next_.fetch_add(1) % kCrashes].store(at_ms);
  news_.store(1);
}

unsigned CrashPage::crashes(std::uint64_t now_ms) const noexcept {
  std::array<std::uint64_t, kCrashes> times{};
  std::uint64_t newest = 0;
  for (std::size_t i = 0; i < kCrashes; ++i) {
    times[i] = at_ms_[i].load();
    if (times[i] > now_ms) times[i] = 0;
    newest = std::max(newest, times[i]);
  }
  return static_cast<unsigned>(std::count_if(times.begin(), times.end(), [&](std::uint64_t at) {
    return at != 0 && newest - at <= kWindowMs;
  }));
}

void CrashPage::forget_crashes() noexcept {
  for (auto& at : at_ms_) at.store(0);
  next_.store(0);
  news_.store(0);
}

Result<CrashBook> CrashBook::of(Result<Book> book) {
  if (!book) return tl::unexpected(book.error());
  return CrashBook(*std::move(book));
}

Result<CrashBook> CrashBook::make() {
  return of(Book::make(kForm));
}

Result<CrashBook> CrashBook::adopt(UniqueFd fd) {
  return of(Book::adopt(kForm, std::move(fd)));
}

Result<CrashBook> CrashBook::open(Inherited& inherited, const Store& store) {
  return of(Book::open(kForm, inherited, store));
}

CrashPage* CrashBook::page_of(std::string_view name) noexcept {
  if (name.empty() || name.size() > CrashPage::kLongestName) return nullptr;
  PageName* const found = book_.find(name);
  PageName* const at = found != nullptr ? found : book_.find_free();
  if (at == nullptr) return nullptr;
  auto* const page = std::launder(reinterpret_cast<CrashPage*>(at));
  if (found == nullptr) page->begin(name);
  return page;
}

}  // namespace vballoon::keep
