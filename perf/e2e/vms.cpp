// SPDX-License-Identifier: BSD-3-Clause
//
// e2e/vms.cpp - the real daemon, inline discards: 1 to 1,000 guests at once, and one guest with its
// pages in every order, 4 KiB and 2 MiB memory; early and late acknowledgement.
//
// Beside it the same memory punched directly, page by page and one hole a VM. By the wall clock:
// other processes than this one do the work.
#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "support/daemon.hpp"
#include "support/figures.hpp"
#include "support/order.hpp"
#include "support/rounds.hpp"
#include "support/stock_guest.hpp"

namespace vballoon::perf {
namespace {

constexpr std::uint64_t kLeastTotal = 512 * kMiB;
constexpr std::uint64_t kLeastVm = 2 * kMiB;
/// A driver reset takes milliseconds where the poll lcore sleeps: no late figures above.
constexpr unsigned kMostResets = 64;

Fleet connect(Daemon& daemon, unsigned vms, const GuestShape& shape) {
  Fleet fleet;
  for (unsigned vm = 0; vm < vms; ++vm) {
    fleet.push_back(std::make_unique<StockGuest>(daemon.connect(vm), shape));
  }
  return fleet;
}

void each(Fleet& fleet, void (StockGuest::*what)() const) {
  for (const auto& guest : fleet) (guest.get()->*what)();
}

/// @param fill  how the host's memory is provided before each turn.
void measure(Fleet& fleet, void (StockGuest::*fill)() const, unsigned rounds,
             const std::string& prefix, Figures& figures) {
  const bool resets = fleet.size() <= kMostResets;
  const auto renew = [&](Ack ack) {
    if (resets) {
      for (const auto& guest : fleet) guest->reset(ack);
    } else {
      send_all(fleet, driver::Role::kDeflate);
    }
    each(fleet, fill);
  };
  const auto refill = [&] { each(fleet, fill); };
  std::vector<std::string> names{"early", "by_page", "limit"};
  Rounds turns(now_ns);
  turns.add(
      "early", [&] { renew(Ack::kEarly); }, [&] { inflate_all(fleet); });
  if (resets) {
    turns.add(
        "late", [&] { renew(Ack::kLate); }, [&] { inflate_all(fleet); });
    names.emplace_back("late");
  }
  turns.add("by_page", refill, [&] { each(fleet, &StockGuest::punch_by_page); });
  turns.add("limit", refill, [&] { each(fleet, &StockGuest::punch_all); });
  turns.run(rounds, prefix);
  const auto pages = static_cast<double>(fleet.size() * fleet.front()->pages());
  for (const std::string& name : names) {
    figures.set(fmt::format("{}.{}_ns_per_page", prefix, name), turns.ns(name) / pages);
  }
}

void fleets(unsigned rounds, Figures& figures) {
  for (const unsigned vms : {1U, 2U, 8U, 64U, 1000U}) {
    Daemon daemon(vms);
    Fleet fleet =
        connect(daemon, vms, {.bytes = std::max(kLeastTotal / vms, kLeastVm), .order = kAscending});
    measure(fleet, &StockGuest::populate, rounds, fmt::format("vms.{}", vms), figures);
  }
}

/// One guest whose memory this process has touched, as a VMM would have.
void orders(unsigned rounds, Figures& figures) {
  struct Named {
    const char* name;
    driver::PageOrder order;
  };
  for (const Named& named : {Named{"ascending", kAscending}, Named{"descending", kDescending},
                             Named{"runs16", kRuns16}, Named{"random", kRandom}}) {
    Daemon daemon(1);
    Fleet fleet = connect(daemon, 1, {.order = named.order});
    measure(fleet, &StockGuest::touch, rounds, fmt::format("daemon.{}", named.name), figures);
  }
}

/// Early alone: huge pages are freed only where the driver tells before it uses a page again.
void huge(unsigned rounds, Figures& figures) {
  constexpr const char* kKey = "daemon.hugetlb.early_ns_per_page";
  const auto pool = HugePool::reserve(GuestShape().bytes);
  if (!pool) return figures.missing(kKey, pool.error().message);
  Daemon daemon(1);
  Fleet fleet = connect(daemon, 1, {.order = kAscending, .huge_page = 2 * kMiB});
  const auto renew = [&] {
    fleet.front()->reset(Ack::kEarly);
    fleet.front()->populate();
  };
  Rounds turns(now_ns);
  turns.add("early", renew, [&] { inflate_all(fleet); });
  turns.run(rounds, "daemon.hugetlb");
  figures.set(kKey, turns.ns("early") / static_cast<double>(fleet.front()->pages()));
}

}  // namespace
}  // namespace vballoon::perf

int main(int argc, char** argv) {
  using namespace vballoon::perf;
  const unsigned rounds = rounds_wanted(argc, argv);
  raise_file_limit();
  Figures figures;
  orders(rounds, figures);
  huge(rounds, figures);
  fleets(rounds, figures);
  figures.print();
}
