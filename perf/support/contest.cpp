// SPDX-License-Identifier: BSD-3-Clause
#include "support/contest.hpp"

#include <fmt/format.h>

#include "support/order.hpp"

namespace vballoon::perf {
namespace {

constexpr const char* kLimit = "limit";

}  // namespace

InlineVm::InlineVm(const MemoryFile& ram, reclaim::ReclaimLimits limits, Ack ack)
    : sink_(puncher_), vm_(ram, limits, ack) {
  vm_.path().set_sink(sink_);
}

Contest::Contest(const MemoryFile& ram, std::function<void()> fill, std::string prefix)
    : ram_(ram), fill_(std::move(fill)), prefix_(std::move(prefix)) {}

/// What a part of a stream left behind is not kept: the next turn shall find memory that is as new
/// as every other's.
void Contest::refill() const {
  if (ram_.allocated_bytes() != 0) punch_all(ram_);
  fill_();
}

void Contest::limit() {
  rounds_.add(
      kLimit, ram_.pages(), [this] { refill(); }, [this] { punch_all(ram_); });
}

void Contest::engine(const std::string& name, const std::vector<Pfn>& pages,
                     reclaim::ReclaimLimits limits, Ack ack) {
  const auto vm = std::make_shared<InlineVm>(ram_, limits, ack);
  const auto prepare = [this, vm] {
    refill();
    vm->reset();
  };
  rounds_.add(name, pages.size(), prepare, [this, vm, &pages] {
    vm->run(pages);
    if (ram_.allocated_bytes() != 0) give_up("the engine left memory behind");
  });
  names_.push_back(name);
}

void Contest::by_page(const std::string& name, const std::vector<Pfn>& pages, unsigned share) {
  baseline(name, pages, share, punch_by_page);
}

void Contest::by_buffer(const std::string& name, const std::vector<Pfn>& pages, unsigned share) {
  baseline(name, pages, share, punch_by_buffer);
}

void Contest::baseline(const std::string& name, const std::vector<Pfn>& pages, unsigned share,
                       Way way) {
  const auto part = std::span(pages).first(pages.size() / share);
  rounds_.add(
      name, part.size(), [this] { refill(); }, [this, part, way] { way(ram_, part); });
  names_.push_back(name);
}

void Contest::run(unsigned rounds, Figures& figures) {
  rounds_.run(rounds, prefix_);
  figures.set(prefix_ + ".limit_ns_per_page", rounds_.ns(kLimit));
  for (const std::string& name : names_) {
    figures.set(fmt::format("{}.{}_ns_per_page", prefix_, name), rounds_.ns(name));
    figures.set(fmt::format("{}.{}_of_limit", prefix_, name), speedup(name, kLimit));
  }
}

}  // namespace vballoon::perf
