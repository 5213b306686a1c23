// SPDX-License-Identifier: BSD-3-Clause
//
// e2e/large.cpp - the balloon of large pages in the real daemon, pages of 2 MiB: the way in, from
// the first message until the host has the memory, beside one hole over the same memory; and the
// way out, a WITHDRAW of 64 pages, beside the kernel's own filling of as many.
//
// On hugetlb, for which the pool is raised and set back; on a host that gives none, on a memfd of
// 4 KiB pages instead, under another key: the bars' figures are then missing, with the reason.
#include <fcntl.h>
#include <fmt/format.h>

#include <memory>

#include "driver/huge_pages.hpp"
#include "driver/large_balloon_driver.hpp"
#include "support/daemon.hpp"
#include "support/figures.hpp"
#include "support/latency.hpp"
#include "support/rounds.hpp"

namespace vballoon::perf {
namespace {

using driver::LargeBalloonDriver;

constexpr unsigned kShift = 21;
constexpr std::uint64_t kPage = std::uint64_t{1} << kShift;
/// Of the guest, and one page more for the driver itself.
constexpr std::uint64_t kPages = 1024;
constexpr std::uint64_t kAsked = 64;
/// One hundredth of them is one.
constexpr unsigned kQuestions = 100;

class Guest {
 public:
  Guest(Daemon& daemon, std::uint64_t huge_page)
      : ram_(or_give_up(driver::GuestRam::create(plan(huge_page)))),
        driver_(or_give_up(LargeBalloonDriver::start(daemon.connect(0), ram_, options()))) {
    for (std::uint64_t page = 1; page <= kPages; ++page) pages_.push_back(Gpa{page * kPage});
    populate(kPages);
    first_ = ram_.allocated_bytes() - kPages * kPage;
  }

  /// So many of its pages have memory.
  void populate(std::uint64_t pages) const { call(0, pages, "filling the guest's memory"); }
  void punch(std::uint64_t pages) const {
    call(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, pages, "a hole in the guest's memory");
  }

  /// Puts so many into the balloon, and waits until the host has them.
  void give(std::uint64_t pages) {
    or_give_up(driver_->add(std::span(pages_).first(pages), kShift));
    const std::uint64_t left = first_ + (kPages - pages) * kPage;
    while (ram_.allocated_bytes() > left) look_away();
  }
  /// In one message, if it has room for so many. @pre so many are in the balloon.
  void take(std::uint64_t pages) {
    const auto back = or_give_up(driver_->withdraw(pages, kShift));
    if (back.size() != pages) give_up("the daemon keeps pages that the host has memory for");
  }
  void take_all() {
    if (driver_->balloon().size() != 0) take(driver_->balloon().size());
  }

 private:
  /// Some microseconds. Whoever looks at a file's size all the time has the kernel's own words for
  /// it, which the one who punches needs.
  static void look_away() noexcept {
    for (int i = 0; i < 100; ++i) __builtin_ia32_pause();
  }
  static driver::RamPlan plan(std::uint64_t huge_page) {
    driver::RamPlan plan = driver::flat_ram((kPages + 1) * kPage);
    plan.huge_page = huge_page;
    return plan;
  }
  static driver::LargeOptions options() {
    driver::LargeOptions options;
    options.wait = driver::WaitMode::kSpin;
    options.depth = 2;
    return options;
  }
  void call(int mode, std::uint64_t pages, const char* doing) const {
    const int file = ram_.table_fds().front();
    const auto bytes = static_cast<off_t>(pages * kPage);
    if (::fallocate(file, mode, static_cast<off_t>(kPage), bytes) != 0) {
      give_up(fmt::format("{} failed", doing));
    }
  }

  driver::GuestRam ram_;
  std::unique_ptr<LargeBalloonDriver> driver_;
  std::vector<Gpa> pages_;
  std::uint64_t first_ = 0;  // bytes that stay: the driver's own
};

double gib_per_s(double ns_per_page) {
  return static_cast<double>(kPage) / static_cast<double>(kGiB) / ns_per_page * 1e9;
}

/// The whole way in. Wall time: two cores take part.
void way_in(Guest& guest, Effort effort, const std::string& key, Figures& figures) {
  Rounds rounds(now_ns);
  const auto fill = [&guest] {
    guest.take_all();
    guest.populate(kPages);
  };
  rounds.add("engine", kPages, fill, [&guest] { guest.give(kPages); });
  rounds.add("limit", kPages, fill, [&guest] { guest.punch(kPages); });
  rounds.run(effort.rounds, key + ", in");
  guest.take_all();
  guest.populate(kPages);
  figures.set(key + ".in_gib_per_s", gib_per_s(rounds.ns("engine")));
  figures.set(key + ".in_limit_gib_per_s", gib_per_s(rounds.ns("limit")));
  figures.set(key + ".in.of_limit", rounds.ratio("limit", "engine"));
}

/// @param before, work  of each question; only work is timed.
template <typename Before, typename Work>
void measure(Before before, Work work, Latency& out) {
  std::vector<double> us;
  for (unsigned i = 0; i < kQuestions; ++i) {
    before();
    const double begin = now_ns();
    work();
    us.push_back((now_ns() - begin) / 1000);
  }
  out.add_round(us);
}

/// The way out, on a host that has the memory.
void way_out(Guest& guest, Effort effort, const std::string& key, Figures& figures) {
  Latency answer, limit;
  for (unsigned round = 0; round < effort.rounds; ++round) {
    progress(fmt::format("{}, out: round {} of {}", key, round + 1, effort.rounds));
    measure([&guest] { guest.give(kAsked); }, [&guest] { guest.take(kAsked); }, answer);
    measure([&guest] { guest.punch(kAsked); }, [&guest] { guest.populate(kAsked); }, limit);
  }
  answer.record(key + ".withdraw", figures);
  limit.record(key + ".withdraw_limit", figures);
  figures.set(key + ".withdraw.p99_of_limit", answer.p99_us() / limit.p99_us());
}

void both(Daemon& daemon, std::uint64_t huge_page, Effort effort, const std::string& key,
          Figures& figures) {
  Guest guest(daemon, huge_page);
  way_in(guest, effort, key, figures);
  way_out(guest, effort, key, figures);
}

void all(Effort effort) {
  // It forks, so it comes first.
  Daemon daemon(1, Lcore::kPolls,
                {.tables = {}, .device_keys = "kind = \"large\"\npage_sizes = \"2M\"\n"});
  daemon.wait_until_ready();
  Figures figures;
  // Set back also where the bench gives up.
  static const auto pool = driver::HugePages::get(kPages + 1);
  if (pool) {
    both(daemon, kPage, effort, "large.hugetlb", figures);
  } else {
    for (const char* const bar : {".in.of_limit", ".withdraw.p99_of_limit"}) {
      figures.missing(std::string("large.hugetlb") + bar, pool.error().message);
    }
    both(daemon, 0, effort, "large.memfd", figures);
  }
  figures.print();
}

}  // namespace
}  // namespace vballoon::perf

int main(int argc, char** argv) {
  using namespace vballoon::perf;
  all(effort_wanted(argc, argv));
}
