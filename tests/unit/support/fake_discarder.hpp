// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/support/fake_discarder.hpp - remembers what it was asked to discard, and may refuse.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <utility>
#include <vector>

#include "base/units.hpp"
#include "reclaim/discarder.hpp"

namespace vballoon::test {

struct DiscardCall {
  int fd = -1;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
};

class FakeDiscarder : public reclaim::Discarder {
 public:
  [[nodiscard]] bool discard(int fd, std::uint64_t offset, std::uint64_t bytes) noexcept override {
    calls.push_back({fd, offset, bytes});
    if (on_call) on_call(calls.back());
    if (refuse && refuse(calls.back())) return false;
    for_each_page(calls.back(), [this](const Page& page) { absent_.insert(page); });
    return true;
  }

  [[nodiscard]] bool provide(int fd, std::uint64_t offset, std::uint64_t bytes,
                             std::byte* mapping) noexcept override {
    provided.push_back({fd, offset, bytes});
    mappings.push_back(mapping);
    if (refuse && refuse(provided.back())) return false;
    for_each_page(provided.back(), [this](const Page& page) { absent_.erase(page); });
    return true;
  }

  /// Of files that were whole at first; or, sparse, had nothing, however often that is discarded.
  [[nodiscard]] std::uint64_t allocated(int /*fd*/) noexcept override {
    constexpr std::uint64_t kWhole = std::uint64_t{1} << 50;
    return sparse ? 0 : kWhole - pages_to_bytes(absent_.size());
  }

  /// File pages (offset / 4096) of all calls, each once.
  [[nodiscard]] std::set<std::uint64_t> file_pages() const {
    std::set<std::uint64_t> pages;
    for (const DiscardCall& call : calls) {
      for (std::uint64_t i = 0; i < call.bytes; i += kPageSize) {
        pages.insert((call.offset + i) / kPageSize);
      }
    }
    return pages;
  }

  std::vector<DiscardCall> calls;
  std::vector<DiscardCall> provided;  // memory that was put there again
  std::vector<std::byte*> mappings;   // through which; parallel to provided
  std::function<void(const DiscardCall&)> on_call;
  std::function<bool(const DiscardCall&)> refuse;  // true: this call fails
  bool sparse = false;

 private:
  using Page = std::pair<int, std::uint64_t>;  // of a file

  template <typename Visit>
  void for_each_page(const DiscardCall& call, Visit visit) const {
    if (sparse) return;
    for (std::uint64_t at = 0; at < call.bytes; at += kPageSize) {
      visit(Page{call.fd, (call.offset + at) / kPageSize});
    }
  }

  std::set<Page> absent_;
};

}  // namespace vballoon::test
