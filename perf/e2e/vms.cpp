// SPDX-License-Identifier: BSD-3-Clause
//
// e2e/vms.cpp - the real daemon, inline discards: 1 to 1,000 guests at once, and one guest with its
// pages in every order, 4 KiB and 2 MiB memory; early and late acknowledgement.
//
// Beside it the same memory punched directly, page by page and one hole a VM. By the wall clock:
// other processes than this one do the work. Early and late have a daemon each, for a driver
// negotiates once; the one that is not measured sleeps. Last, its start and its end with 1,000.
#include <fmt/format.h>

#include <algorithm>

#include "driver/huge_pages.hpp"
#include "support/daemon.hpp"
#include "support/figures.hpp"
#include "support/order.hpp"
#include "support/rounds.hpp"
#include "support/stock_guest.hpp"

namespace vballoon::perf {
namespace {

constexpr std::uint64_t kOneVm = 128 * kMiB;
constexpr std::uint64_t kLeastTotal = 256 * kMiB;
constexpr std::uint64_t kLeastVm = 2 * kMiB;
/// Page by page, a part of each guest's memory: one page costs what another does.
constexpr std::size_t kPart = 8;

/// A daemon, and a driver at each of its devices.
struct Side {
  Side(unsigned vms, const GuestShape& shape, Ack ack) : daemon(vms) {
    attach_until(vms, daemon, fleet, shape, ack);
  }
  [[nodiscard]] std::uint64_t pages() const { return fleet.size() * fleet.front()->pages(); }
  void each(void (StockGuest::*what)() const) const {
    for (const auto& guest : fleet) (guest.get()->*what)();
  }
  /// Empty balloons, and a host that provides all of the memory.
  /// @param fill  how: StockGuest::populate or touch.
  void renew(void (StockGuest::*fill)() const) {
    send_all(fleet, driver::Role::kDeflate);
    each(fill);
  }

  Daemon daemon;
  Fleet fleet;
};

/// From full memory to none, alternately: early, late, page by page, one hole.
void measure(unsigned vms, const GuestShape& shape, void (StockGuest::*fill)() const,
             unsigned rounds, const std::string& prefix, Figures& figures) {
  Side early(vms, shape, Ack::kEarly);
  Side late(vms, shape, Ack::kLate);
  const std::uint64_t pages = early.pages();
  Rounds turns(now_ns);
  turns.add(
      "early", pages, [&] { early.renew(fill); }, [&] { inflate_all(early.fleet); });
  turns.add(
      "late", pages, [&] { late.renew(fill); }, [&] { inflate_all(late.fleet); });
  turns.add(
      "limit", pages, [&] { early.each(fill); }, [&] { early.each(&StockGuest::punch_all); });
  turns.add(
      "by_page", pages / kPart, [&] { early.each(fill); },
      [&] {
        for (const auto& guest : early.fleet) guest->punch_by_page(guest->pages() / kPart);
      });
  turns.run(rounds, prefix);
  for (const char* name : {"early", "late", "by_page", "limit"}) {
    figures.set(fmt::format("{}.{}_ns_per_page", prefix, name), turns.ns(name));
  }
}

void fleets(Effort effort, Figures& figures) {
  for (const unsigned vms : {1U, 2U, 8U, 64U, 1000U}) {
    const GuestShape shape{.bytes = std::max(kLeastTotal / vms, kLeastVm), .order = kAscending};
    measure(vms, shape, &StockGuest::populate, effort.rounds, fmt::format("vms.{}", vms), figures);
  }
}

/// One guest whose memory this process has touched, as a VMM would have.
void orders(Effort effort, Figures& figures) {
  struct Named {
    const char* name;
    driver::PageOrder order;
  };
  for (const Named& named : {Named{"ascending", kAscending}, Named{"descending", kDescending},
                             Named{"runs16", kRuns16}, Named{"random", kRandom}}) {
    measure(1, {.bytes = kOneVm, .order = named.order}, &StockGuest::touch, effort.rounds,
            fmt::format("daemon.{}", named.name), figures);
  }
}

/// Early alone: huge pages are freed only where the driver tells before it uses a page again.
void huge(Effort effort, Figures& figures) {
  constexpr const char* kKey = "daemon.hugetlb.early_ns_per_page";
  const auto pool = driver::HugePages::get(kOneVm / (2 * kMiB));
  if (!pool) return figures.missing(kKey, pool.error().message);
  Side side(1, {.bytes = kOneVm, .order = kAscending, .huge_page = 2 * kMiB}, Ack::kEarly);
  Rounds turns(now_ns);
  turns.add(
      "early", side.pages(), [&] { side.renew(&StockGuest::populate); },
      [&] { inflate_all(side.fleet); });
  turns.run(effort.rounds, "daemon.hugetlb");
  figures.set(kKey, turns.ns("early"));
}

/// From exec to "ready" with 1,000 devices; from SIGTERM to the end with a VM at each. The least of
/// some rounds: what else the machine does adds to it.
void start_and_end(Effort effort, Figures& figures) {
  constexpr unsigned kDevices = 1000;
  double start = 0;
  double end = 0;
  for (unsigned round = 0; round < std::max(effort.rounds, 1U); ++round) {
    const double begin = now_ns();
    Daemon daemon(kDevices);
    daemon.wait_until_ready();
    const double ready = now_ns();
    Fleet fleet;
    const GuestShape shape{.bytes = kLeastVm, .order = kAscending};
    attach_until(kDevices, daemon, fleet, shape, Ack::kLate);
    const double asked = now_ns();
    daemon.end();
    const double over = now_ns();
    start = round == 0 ? ready - begin : std::min(start, ready - begin);
    end = round == 0 ? over - asked : std::min(end, over - asked);
  }
  figures.set("start.1000_devices_ms", start / 1e6);
  figures.set("start.end_with_1000_vms_ms", end / 1e6);
}

}  // namespace
}  // namespace vballoon::perf

int main(int argc, char** argv) {
  using namespace vballoon::perf;
  const Effort effort = effort_wanted(argc, argv);
  raise_file_limit();
  Figures figures;
  orders(effort, figures);
  huge(effort, figures);
  fleets(effort, figures);
  start_and_end(effort, figures);
  figures.print();
}
