// SPDX-License-Identifier: BSD-3-Clause
//
// A VM that is being migrated: which pages are marked as written to, and what becomes of a log that
// is not there. Source: vhost-user protocol, "Migration", VHOST_USER_SET_LOG_BASE.
#include <unistd.h>

#include <array>

#include "harness/migration_log.hpp"
#include "harness/raw_vmm.hpp"

namespace vballoon::model {
namespace {

using wire::Request;

class Migration : public DaemonTest {
 protected:
  void SetUp() override {
    driver_ = connect(late());
    pages_ = fill(*driver_);
  }
  void log_to(const Log& log) {
    must(driver_->front_end().set_log_base(log.fd(), Log::kBytes, log.offset()));
  }
  void log_all(bool on) { model::log_all(*driver_, on); }
  /// Pages where rings lie, and buffers, which the device does not write.
  [[nodiscard]] bool in_arena(std::uint64_t page) const {
    const GpaRange arena = driver_->arena().range();
    return page * kPageSize >= arena.first.value &&
           page * kPageSize < arena.first.value + arena.bytes;
  }
  void move_pages() {
    must(driver_->inflate(std::span(pages_).first(600)));
    must(driver_->deflate(std::span(pages_).first(600)));
    driver::fill_canaries(ram_, std::span(pages_).first(600), 1);
  }

  std::unique_ptr<BalloonDriver> driver_;
  std::vector<Pfn> pages_;
};

TEST_F(Migration, RingsAreMarkedAndNothingElse) {
  for (const std::uint64_t offset : {std::uint64_t{0}, 3 * kPageSize}) {
    Log log(offset);
    log_to(log);
    move_pages();
    EXPECT_TRUE(log.take().empty()) << "a log, but not LOG_ALL";
    log_all(true);
    log.take();
    move_pages();
    const auto marked = log.take();
    EXPECT_GE(marked.size(), 2U) << "a page of each of two rings";
    for (const std::uint64_t page : marked) EXPECT_TRUE(in_arena(page)) << page;
    EXPECT_TRUE(log.take().empty()) << "an idle device writes nothing";
    must(driver_->report(std::vector<GpaRange>{{to_gpa(pages_[700]), kPageSize}}));
    driver::fill_canaries(ram_, std::span(pages_).subspan(700, 1), 1);
    for (const std::uint64_t page : log.take()) EXPECT_TRUE(in_arena(page)) << page;
    log_all(false);
    log.take();
    move_pages();
    EXPECT_TRUE(log.take().empty());
    EXPECT_TRUE(log.clean_before());
  }
  expect_untouched(pages_);
  expect_no_violations(*driver_);
}

TEST_F(Migration, TheBalloonStaysThroughItsBeginning) {
  must(driver_->inflate(std::span(pages_).first(600)));
  const Log log;
  log_to(log);
  log_all(true);
  expect_ballooned(600);
  must(driver_->deflate(std::span(pages_).first(600)));
  EXPECT_EQ(counter("not_ballooned"), 0U);
}

TEST_F(Migration, AVmMovesToAnotherDaemon) {
  Daemon destination({"vm"});
  const auto there = [&destination](const char* key) {
    return destination.show("vm").at(key).get<std::uint64_t>() / kPageSize;
  };
  must(driver_->inflate(std::span(pages_).first(600)));
  must(driver_->write_actual(600));
  Log log;
  log_to(log);
  log_all(true);
  must(driver_->inflate(std::span(pages_).subspan(600, 300)));
  must(driver_->write_actual(900));
  must(driver_->pause());
  log.take();
  EXPECT_EQ(show().at("actual_bytes"), 900 * kPageSize);
  const driver::Deadline deadline(RawVmm::kPatience);
  must(driver_->migrate(must(driver::MessageSocket::connect(destination.socket("vm"), deadline))));
  EXPECT_TRUE(log.take().empty()) << "the source has nothing more to write";
  EXPECT_TRUE(eventually([&] { return show().at("state") == "waiting"; }));
  EXPECT_EQ(destination.show("vm").at("state"), "running");
  EXPECT_EQ(there("actual_bytes"), 900U) << "as the VMM restored it";
  EXPECT_EQ(there("ballooned_bytes"), 0U) << "what it has not seen it does not discard";

  // It learns: what comes is known, what it never saw goes back all the same.
  must(driver_->inflate(std::span(pages_).subspan(900, 100)));
  must(driver_->deflate(std::span(pages_).first(900)));
  // The population is shown once the buffers of a pass are back.
  EXPECT_TRUE(eventually([&] { return there("ballooned_bytes") == 100; }));
  EXPECT_EQ(destination.show("vm").at("counters").at("not_ballooned"), 900U);
  expect_gone(std::span(pages_).subspan(900, 100));
  must(driver_->deflate(std::span(pages_).subspan(900, 100)));
  EXPECT_TRUE(eventually([&] { return there("ballooned_bytes") == 0; }));
  expect_untouched(std::span(pages_).subspan(1000));
  expect_no_violations(*driver_);
  driver_.reset();
}

TEST_F(Migration, ALogForLessThanTheGuest) {
  Log log;
  must(driver_->front_end().set_log_base(log.fd(), 1, 0));  // 8 pages
  log_all(true);
  move_pages();
  for (const std::uint64_t page : log.take()) EXPECT_LT(page, 8U);
}

TEST_F(Migration, ALogThatBecomesShorter) {
  const Log log;
  log_to(log);
  log_all(true);
  ASSERT_EQ(::ftruncate(log.fd(), 0), 0);
  static_cast<void>(driver_->inflate(std::span(pages_).first(10)));
  EXPECT_TRUE(eventually([&] { return show().at("state") == "broken"; }));
  EXPECT_TRUE(daemon_.alive());
  driver_.reset();
  EXPECT_TRUE(eventually([&] { return show().at("state") == "waiting"; }));
  const auto next = connect(late());
  const auto pages = fill(*next);
  must(next->inflate(std::span(pages).first(10)));
  expect_gone(std::span(pages).first(10));
}

TEST_F(Migration, LogsThatCannotBe) {
  const std::string other = Lab::get().next_device();
  RawVmm vmm(daemon_.socket(other));
  const Log log;
  const std::array<int, 1> fd{log.fd()};
  const auto number = static_cast<std::uint32_t>(Request::kSetLogBase);
  const auto verdict = [&](std::uint64_t bytes, std::uint64_t offset, std::span<const int> fds) {
    return vmm.verdict(number, RawVmm::payload({bytes, offset}), fds);
  };
  EXPECT_EQ(verdict(0, 0, fd), 1U);
  EXPECT_EQ(verdict(Log::kBytes, 1, fd), 1U);
  EXPECT_EQ(verdict(2 * Log::kBytes, 0, fd), 1U);
  EXPECT_EQ(verdict(Log::kBytes, 1ULL << 62U, fd), 1U);
  EXPECT_EQ(verdict(~std::uint64_t{0}, kPageSize, fd), 1U);
  EXPECT_EQ(verdict(Log::kBytes, 0, {}), 1U);
  EXPECT_EQ(verdict(Log::kBytes, 0, std::array{fd[0], fd[0]}), 1U);
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  const UniqueFd reader(ends[0]);
  const UniqueFd writer(ends[1]);
  EXPECT_EQ(verdict(Log::kBytes, 0, std::array{reader.get()}), 1U);
  move_pages();
}

}  // namespace
}  // namespace vballoon::model
