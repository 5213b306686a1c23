// SPDX-License-Identifier: BSD-3-Clause
//
// policy/remembered.hpp - what a law remembers of each VM, by name, for as long as the VM is there.
// Thread: one owner.
// Why:    the next daemon is to decide as this one would have. So the entries lie in a book that
//         outlives the process, where there is one: nothing is written but what a turn changes, and
//         nothing is lost wherever a turn ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>

#include "keep/book.hpp"

namespace vballoon::policy {

/// Has an entry for each VM that of() was asked for in this turn or in the one before.
/// @tparam T  any bytes are a value of it; its layout is the book's form.
template <typename T>
class Remembered {
  struct alignas(8) Page {
    keep::PageName name;
    T what;
  };
  static_assert(std::is_trivially_copyable_v<T> && alignof(T) <= 8);

 public:
  /// Of a book for it.
  static constexpr std::size_t kPageBytes = sizeof(Page);

  /// @param book  outlives this; null: what is remembered ends with the process. A VM for which it
  ///              has no page is remembered that long, too.
  explicit Remembered(keep::Book* book = nullptr) noexcept : book_(book) {}

  /// @param take_up  is called with an entry that an earlier process left, of which every byte may
  ///                 be anything.
  /// @return the VM's entry; a new one where the VM was not there in the turn before. The entry
  ///         stays where it is until the VM is forgotten.
  template <typename TakeUp>
  [[nodiscard]] T& of(const std::string& name, TakeUp take_up) {
    Entry& entry = entries_[name];
    if (entry.what == nullptr) begin(name, take_up, &entry);
    if (std::exchange(entry.turn, turn_) != turn_) ++present_;
    return *entry.what;
  }
  [[nodiscard]] T& of(const std::string& name) {
    return of(name, [](T&) {});
  }

  /// Forgets the VMs that of() was not asked for in this turn.
  void end_turn() {
    if (present_ != entries_.size()) {
      std::erase_if(entries_, [this](auto& one) {
        const bool gone = one.second.turn != turn_;
        if (gone) one.second.release();
        return gone;
      });
    }
    present_ = 0;
    ++turn_;
  }

  /// Forgets this one, and what an earlier process left of it.
  void forget(const std::string& name) {
    if (const auto at = entries_.find(name); at != entries_.end()) {
      at->second.release();
      if (at->second.turn == turn_) --present_;
      entries_.erase(at);
    }
    if (book_ == nullptr) return;
    if (keep::PageName* const left = book_->find(name)) left->clear();
  }

  /// Forgets what an earlier process left of all others.
  /// @pre of() was never called.
  void keep_only(const std::function<bool(std::string_view)>& is_there) const {
    if (book_ != nullptr) book_->keep_only(is_there);
  }

 private:
  struct Entry {
    T* what = nullptr;
    keep::PageName* page = nullptr;  // of the book, where `what` lies there
    std::unique_ptr<T> own;          // what, otherwise
    std::uint64_t turn = 0;          ///< the last turn in which of() was asked for it

    void release() const noexcept {
      if (page != nullptr) page->clear();
    }
  };

  template <typename TakeUp>
  void begin(const std::string& name, TakeUp take_up, Entry* entry) {
    keep::PageName* const left = book_ != nullptr ? book_->find(name) : nullptr;
    entry->page = left != nullptr ? left : free_page(name);
    if (entry->page == nullptr) {
      entry->own = std::make_unique<T>();
      entry->what = entry->own.get();
      return;
    }
    entry->what = &std::launder(reinterpret_cast<Page*>(entry->page))->what;
    if (left != nullptr) return take_up(*entry->what);
    new (entry->what) T{};
    entry->page->set(name);
  }

  [[nodiscard]] keep::PageName* free_page(std::string_view name) const noexcept {
    if (book_ == nullptr || name.empty() || name.size() > keep::PageName::kLongest) return nullptr;
    return book_->find_free();
  }

  keep::Book* book_;
  std::unordered_map<std::string, Entry> entries_;
  std::size_t present_ = 0;  // entries that of() was asked for in this turn
  std::uint64_t turn_ = 1;
};

}  // namespace vballoon::policy
