// SPDX-License-Identifier: BSD-3-Clause
//
// A VMM that works on its own memory file holds the file's lock, so whoever discards there waits.
// Its VM gets a thread of its own, and the others of its lcores go on. How long anybody waits is
// for perf/e2e/stall.cpp to say. Source: fallocate(2); the kernel's shmem_fallocate(), which holds
// the inode's lock throughout.
#include <fcntl.h>

#include <atomic>
#include <exception>
#include <thread>

#include "harness/fixture.hpp"

namespace vballoon::model {
namespace {

constexpr std::uint64_t kSlowBytes = 512 * kMiB;
constexpr std::uint64_t kArena =
    kMiB;  // the driver's rings and buffers, from the start of the file on
constexpr std::size_t kPagesABuffer = 256;

/// The VMM's two threads: one has all of the guest's memory allocated, one frees it.
class Work {
 public:
  explicit Work(const GuestRam& ram)
      : fills_([&ram](const std::stop_token& stop) { loop(stop, ram, 0); }),
        frees_([&ram](const std::stop_token& stop) { loop(stop, ram, FALLOC_FL_PUNCH_HOLE); }) {}

 private:
  static void loop(const std::stop_token& stop, const GuestRam& ram, int mode) {
    while (!stop.stop_requested()) {
      static_cast<void>(::fallocate(ram.table_fds().at(0), mode | FALLOC_FL_KEEP_SIZE, kArena,
                                    static_cast<off_t>(kSlowBytes - kArena)));
    }
  }
  std::jthread fills_;
  std::jthread frees_;
};

/// Inflates and deflates until the end of the scope.
class Busy {
 public:
  Busy(BalloonDriver& driver, std::span<const Pfn> pages)
      : thread_([this, &driver, pages](const std::stop_token& stop) {
          try {
            for (; !stop.stop_requested(); ++rounds_) {
              must(driver.inflate(pages));
              must(driver.deflate(pages));
            }
          } catch (...) {
            error_ = std::current_exception();
          }
        }) {}
  /// @errors throws what it met with.
  void stop() {
    thread_.request_stop();
    thread_.join();
    if (error_) std::rethrow_exception(error_);
  }
  [[nodiscard]] std::uint64_t rounds() const { return rounds_; }

 private:
  std::atomic<std::uint64_t> rounds_{0};
  std::exception_ptr error_;
  std::jthread thread_;
};

DriverOptions patient() {
  DriverOptions options;
  options.timeout = std::chrono::minutes(1);
  return options;
}

class SlowMemory : public testing::TestWithParam<const char*> {
 protected:
  SlowMemory() : daemon_({"slow", "beside"}, GetParam()) {}

  std::uint64_t counter(const std::string& device, const std::string& name) {
    return daemon_.show(device).at("counters").at(name).get<std::uint64_t>();
  }
  static std::vector<Pfn> first_pages(const GuestRam& ram, const BalloonDriver& driver) {
    std::vector<Pfn> pages = usable_pages(ram, driver);
    pages.resize(8 * kPagesABuffer);
    return pages;
  }

  Daemon daemon_;
  GuestRam slow_ram_ = must(GuestRam::create(driver::flat_ram(kSlowBytes)));
  GuestRam beside_ram_ = must(GuestRam::create(driver::flat_ram(16 * kMiB)));
};

TEST_P(SlowMemory, HasAThreadOfItsOwnAndTheOthersGoOn) {
  const auto slow = connect(daemon_.socket("slow"), slow_ram_, patient());
  const auto beside = connect(daemon_.socket("beside"), beside_ram_, patient());
  const auto slow_pages = first_pages(slow_ram_, *slow);
  const auto pages = first_pages(beside_ram_, *beside);
  const auto kept = usable_pages(beside_ram_, *beside);
  const auto rest = std::span(kept).subspan(pages.size());
  driver::fill_canaries(beside_ram_, rest, 1);
  {
    const Work work(slow_ram_);
    Busy busy(*slow, slow_pages);
    std::uint64_t buffers = 0;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (counter("slow", "lane_moves") == 0 && std::chrono::steady_clock::now() < deadline) {
      must(beside->inflate(pages));
      must(beside->deflate(pages));
      ++buffers;
    }
    EXPECT_GT(buffers, 0U);
    const Json show = daemon_.show("slow");
    EXPECT_EQ(show.at("slow"), true) << show.dump();
    EXPECT_NE(show.at("reason").get<std::string>().find("works on the file"), std::string::npos);
    for (int round = 0; round < 20; ++round) {
      must(beside->inflate(pages));
      must(beside->deflate(pages));
    }
    EXPECT_EQ(counter("beside", "lane_moves"), 0U);
    EXPECT_EQ(daemon_.show("beside").at("slow"), false);
    busy.stop();
  }
  EXPECT_GE(counter("slow", "slow_calls"), counter("slow", "lane_moves"));
  // Its own requests were all carried out, each buffer once, and are from now on.
  driver::fill_canaries(slow_ram_, slow_pages, 2);
  const auto half = std::span(slow_pages).first(slow_pages.size() / 2);
  must(slow->inflate(half));
  EXPECT_EQ(
      driver::check_canaries(slow_ram_, std::span(slow_pages).subspan(half.size()), 2).changed, 0U);
  EXPECT_EQ(slow->violations().total(), 0U);
  EXPECT_EQ(beside->violations().total(), 0U);
  EXPECT_EQ(driver::check_canaries(beside_ram_, rest, 1).changed, 0U);
  must(slow->reset());
  must(slow->inflate(half));
  EXPECT_EQ(daemon_.show("slow").at("state"), "running");
}

/// What holds its device up is gone with its VMM, and the next one begins as ever.
TEST_P(SlowMemory, AVmmThatVanishesInTheMiddleOfIt) {
  const auto beside = connect(daemon_.socket("beside"), beside_ram_, patient());
  const auto pages = first_pages(beside_ram_, *beside);
  for (int round = 0; round < 2; ++round) {
    const Work work(slow_ram_);
    auto slow = connect(daemon_.socket("slow"), slow_ram_, patient());
    must(slow->inflate(first_pages(slow_ram_, *slow)));
    slow.reset();
    must(beside->inflate(pages));
    must(beside->deflate(pages));
  }
  const auto next = connect(daemon_.socket("slow"), slow_ram_, patient());
  const auto some = first_pages(slow_ram_, *next);
  must(next->inflate(some));
  must(next->deflate(some));
  EXPECT_EQ(next->violations().total(), 0U);
  EXPECT_EQ(beside->violations().total(), 0U);
}

INSTANTIATE_TEST_SUITE_P(All, SlowMemory, testing::Values("", "[reclaim]\nlcores = [0]\n"),
                         [](const auto& chosen) {
                           return std::string(chosen.param[0] == 0 ? "Inline" : "ReclaimLcore");
                         });

}  // namespace
}  // namespace vballoon::model
