// SPDX-License-Identifier: BSD-3-Clause
//
// What a guest may get wrong, or do on purpose: counted, the buffer returned or the queue broken,
// nothing else lost. Proves nothing of timing attacks on the rings; the fuzzers do.
#include <array>
#include <cstring>
#include <filesystem>
#include <thread>

#include <unistd.h>

#include "harness/fixture.hpp"

namespace vballoon::model {
namespace {

using driver::DriverQueue;
using driver::Segment;
using wire::Descriptor;

/// Where tests put buffers by hand: RAM that they do not balloon.
constexpr Gpa kBuffer{24 * kMiB};
constexpr std::uint64_t kNowhere = 40 * kMiB;

class BadInput : public DaemonTest {
 protected:
  void SetUp() override {
    DriverOptions options = late();
    options.timeout = std::chrono::milliseconds(1000);
    driver_ = connect(options);
    pages_ = fill(*driver_);
  }
  void TearDown() override {
    if (driver_ == nullptr) return;
    expect_untouched(std::span(pages_).subspan(100, 5000));
    expect_no_violations(*driver_);
    EXPECT_TRUE(daemon_.alive());
  }

  DriverQueue& queue(Role role = Role::kInflate) { return driver_->queue(role); }

  void write(Gpa at, std::span<const std::uint32_t> words) {
    std::memcpy(ram_.at(at, words.size_bytes()).data(), words.data(), words.size_bytes());
  }

  /// Sends one chain and sees it come back.
  void round_trip(Role role, std::span<const Segment> segments) {
    ASSERT_TRUE(queue(role).add(segments));
    queue(role).publish();
    must(driver_->await(queue(role)));
  }

  /// Sends a chain of hand-made descriptors; the `next` fields count within it.
  void round_trip_raw(Role role, std::vector<Descriptor> chain) {
    std::vector<std::uint16_t> ids;
    for (std::size_t i = 0; i < chain.size(); ++i) ids.push_back(queue(role).reserve().value());
    for (std::size_t i = 0; i < chain.size(); ++i) {
      if (chain[i].next < chain.size()) chain[i].next = ids[chain[i].next];
      std::memcpy(queue(role).areas().descriptors + sizeof(Descriptor) * ids[i], &chain[i],
                  sizeof(Descriptor));
    }
    queue(role).add_raw(ids.front());
    queue(role).publish();
    must(driver_->await(queue(role)));
  }

  void expect_counted(const std::string& name, std::uint64_t value) {
    static_cast<void>(eventually([&] { return counter(name) == value; }));
    EXPECT_EQ(counter(name), value) << name;
  }

  void expect_still_working() {
    const auto some = std::span(pages_).subspan(5200, 300);
    must(driver_->inflate(some));
    expect_gone(some);
    must(driver_->deflate(some));
    driver::fill_canaries(ram_, some, 1);
    EXPECT_EQ(show().at("state"), "running");
  }

  std::unique_ptr<BalloonDriver> driver_;
  std::vector<Pfn> pages_;
};

TEST_F(BadInput, PageNumbersOutsideMemory) {
  const std::vector<Pfn> pfns{Pfn{8192},  pages_[0], Pfn{0xFFFFFFFF}, pages_[1],
                              Pfn{20000}, pages_[2], Pfn{0x80000000}};
  must(driver_->inflate(pfns));
  expect_counted("outside_memory", 4);
  expect_gone(std::span(pages_).first(3));
  expect_ballooned(3);
  must(driver_->deflate(pfns));
  expect_counted("outside_memory", 8);
  expect_ballooned(0);
  expect_still_working();
}

TEST_F(BadInput, PageNumbersInAHole) {
  driver_.reset();
  ram_ = must(GuestRam::create(driver::ram_with_hole(32 * kMiB, 16 * kMiB, 8 * kMiB)));
  driver_ = connect(late());
  pages_ = fill(*driver_);
  const std::vector<Pfn> pfns{Pfn{4096}, Pfn{4095}, Pfn{6143}, Pfn{6144}};
  must(driver_->inflate(pfns));
  expect_counted("outside_memory", 2);
  expect_ballooned(2);
  expect_gone(std::vector<Pfn>{Pfn{4095}, Pfn{6144}});
  must(driver_->deflate(pfns));
  pages_.resize(3000);
  driver_->set_stats({});
  EXPECT_EQ(show().at("state"), "running");
  expect_untouched(std::span(pages_).first(3000));
  pages_ = usable_pages(ram_, *driver_);
  driver::fill_canaries(ram_, pages_, 1);
}

TEST_F(BadInput, LengthsThatAreNoMultipleOfFour) {
  const std::array<std::uint32_t, 3> words{pages_[0].value, pages_[1].value, pages_[2].value};
  write(kBuffer, words);
  for (const std::uint32_t length : {5U, 6U, 7U, 1U, 2U, 3U}) {
    round_trip(Role::kInflate, std::vector<Segment>{{kBuffer, length, false}});
  }
  expect_counted("odd_bytes", 1 + 2 + 3 + 1 + 2 + 3);
  expect_ballooned(1);
  expect_gone(std::span(pages_).first(1));
  expect_still_working();
}

TEST_F(BadInput, APageNumberInTwoPieces) {
  const std::array<std::uint32_t, 2> words{pages_[0].value, pages_[1].value};
  write(kBuffer, words);
  round_trip(Role::kInflate, std::vector<Segment>{{kBuffer, 3, false},
                                                  {Gpa{kBuffer.value + 3}, 2, false},
                                                  {Gpa{kBuffer.value + 5}, 3, false}});
  expect_ballooned(2);
  expect_gone(std::span(pages_).first(2));
  expect_counted("odd_bytes", 0);
}

TEST_F(BadInput, DescriptorsOfTheWrongDirection) {
  const std::array<std::uint32_t, 1> words{pages_[0].value};
  write(kBuffer, words);
  round_trip(Role::kInflate, std::vector<Segment>{{kBuffer, 4, true}});
  round_trip(Role::kDeflate, std::vector<Segment>{{kBuffer, 4, true}});
  round_trip(Role::kReport, std::vector<Segment>{{to_gpa(pages_[200]), kPageSize, false}});
  expect_counted("wrong_direction", 3);
  expect_ballooned(0);
  expect_untouched(pages_.empty() ? pages_ : std::vector<Pfn>{pages_[200]});
  expect_still_working();
}

TEST_F(BadInput, BuffersOutsideMemory) {
  round_trip(Role::kInflate, std::vector<Segment>{{Gpa{kNowhere}, 1024, false}});
  round_trip(Role::kInflate, std::vector<Segment>{{Gpa{32 * kMiB - 4}, 8, false}});
  round_trip(Role::kDeflate, std::vector<Segment>{{Gpa{~std::uint64_t{3}}, 1024, false}});
  round_trip(Role::kReport, std::vector<Segment>{{Gpa{kNowhere}, 4096, true}});
  round_trip(Role::kInflate, std::vector<Segment>{{Gpa{0}, 0xFFFFFFFF, false}});
  round_trip(Role::kReport, std::vector<Segment>{{Gpa{0}, 0xFFFFF000, true}});
  expect_counted("bad_chains", 6);
  expect_still_working();
}

TEST_F(BadInput, ChainsThatLoop) {
  if (packed_run()) GTEST_SKIP() << "a packed ring has no links";
  const std::array<std::uint32_t, 1> words{pages_[0].value};
  write(kBuffer, words);
  const Descriptor first{kBuffer.value, 4, wire::kDescNext, 1};
  const Descriptor back{kBuffer.value, 4, wire::kDescNext, 0};
  round_trip_raw(Role::kInflate, {first, back});
  round_trip_raw(Role::kInflate, {{kBuffer.value, 4, wire::kDescNext, 0}});
  expect_counted("bad_chains", 2);
  must(driver_->deflate(std::span(pages_).first(1)));
  expect_still_working();
}

TEST_F(BadInput, NextBeyondTheTable) {
  if (packed_run()) GTEST_SKIP() << "a packed ring has no links";
  round_trip_raw(Role::kInflate, {{kBuffer.value, 0, wire::kDescNext, 5000}});
  expect_counted("bad_chains", 1);
  expect_still_working();
}

/// 2.8.7, 2.8.21: what a table may be, and where it may be named.
TEST_F(BadInput, PackedIndirectTablesThatCannotBe) {
  if (!packed_run()) GTEST_SKIP() << "of packed rings";
  const Descriptor plain{kBuffer.value, 0, 0, 0};
  const auto table = [](std::uint64_t addr, std::uint32_t len) {
    return Descriptor{addr, len, wire::kDescIndirect, 0};
  };
  const std::vector<std::vector<Descriptor>> chains{{table(kBuffer.value, 0)},
                                                    {table(kBuffer.value, 17)},
                                                    {table(kNowhere, 16)},
                                                    {table(kBuffer.value, 16 * 129)},
                                                    {table(kBuffer.value, 16), plain},
                                                    {plain, table(kBuffer.value, 16)}};
  for (const auto& chain : chains) {
    ASSERT_TRUE(queue().add_described(chain));
    queue().publish();
    must(driver_->await(queue()));
  }
  expect_counted("bad_chains", chains.size());
  expect_still_working();
}

TEST_F(BadInput, IndirectTablesThatCannotBe) {
  if (packed_run()) GTEST_SKIP() << "of split rings";
  constexpr std::uint64_t table = kBuffer.value + 4096;
  const auto indirect = [](std::uint32_t len, std::uint16_t flags = wire::kDescIndirect) {
    return std::vector<Descriptor>{{table, len, flags, 0}};
  };
  const Descriptor nested{table, 16, wire::kDescIndirect, 0};
  std::memcpy(ram_.at(Gpa{table}, sizeof(nested)).data(), &nested, sizeof(nested));
  round_trip_raw(Role::kInflate, indirect(16));
  round_trip_raw(Role::kInflate, indirect(0));
  round_trip_raw(Role::kInflate, indirect(17));
  round_trip_raw(Role::kInflate, indirect(16, wire::kDescIndirect | wire::kDescNext));
  round_trip_raw(Role::kInflate, {{kNowhere, 16, wire::kDescIndirect, 0}});
  const Descriptor loop{kBuffer.value, 0, wire::kDescNext, 0};
  std::memcpy(ram_.at(Gpa{table}, sizeof(loop)).data(), &loop, sizeof(loop));
  round_trip_raw(Role::kInflate, indirect(16));
  expect_counted("bad_chains", 6);
  expect_still_working();
}

TEST_F(BadInput, EmptyBuffers) {
  for (const Role role : {Role::kInflate, Role::kDeflate}) {
    round_trip(role, std::vector<Segment>{{kBuffer, 0, false}});
  }
  round_trip(Role::kReport, std::vector<Segment>{{kBuffer, 0, true}});
  expect_ballooned(0);
  expect_still_working();
}

TEST_F(BadInput, ReportsOfPartsOfPages) {
  const Gpa inside{to_gpa(pages_[200]).value + 100};
  round_trip(Role::kReport, std::vector<Segment>{{inside, 3000, true}});
  expect_untouched(std::span(pages_).subspan(200, 1));
  round_trip(Role::kReport, std::vector<Segment>{{inside, 2 * kPageSize, true}});
  expect_untouched(std::span(pages_).subspan(200, 1));
  expect_untouched(std::span(pages_).subspan(202, 1));
  driver::fill_canaries(ram_, std::span(pages_).subspan(200, 3), 1);
  expect_still_working();
}

TEST_F(BadInput, TwiceInflatedAndNeverInflated) {
  const std::vector<Pfn> twice{pages_[0], pages_[1], pages_[0]};
  must(driver_->inflate(twice));
  expect_ballooned(2);
  expect_counted("already_ballooned", 1);
  must(driver_->deflate(std::vector<Pfn>{pages_[50]}));
  expect_counted("not_ballooned", 1);
  expect_ballooned(2);
  must(driver_->deflate(std::span(pages_).first(2)));
}

/// Split: a head beyond the table. Packed: a chain into what is not available.
TEST_F(BadInput, ABufferThatCannotBeBreaksOnlyItsQueue) {
  queue().add_broken();
  queue().publish();
  EXPECT_TRUE(eventually([this] { return queue_state(Role::kInflate) == "broken"; }));
  EXPECT_EQ(show().at("state"), "broken");
  EXPECT_EQ(queue_state(Role::kDeflate), "running");
  must(driver_->deflate(std::span(pages_).first(1)));
  must(driver_->reset());
  expect_still_working();
}

TEST_F(BadInput, BuffersAheadOfABadHeadComeBack) {
  const std::array<std::uint32_t, 1> words{pages_[0].value};
  write(kBuffer, words);
  ASSERT_TRUE(queue().add(std::vector<Segment>{{kBuffer, 4, false}}));
  queue().add_broken();
  queue().publish();
  must(driver_->await(queue()));
  expect_gone(std::span(pages_).first(1));
  EXPECT_TRUE(eventually([this] { return queue_state(Role::kInflate) == "broken"; }));
  must(driver_->reset());
  expect_still_working();
}

TEST_F(BadInput, AnAvailIndexThatJumpsBreaksOnlyItsQueue) {
  if (packed_run()) GTEST_SKIP() << "of split rings";
  const std::uint16_t far = 1000;
  std::memcpy(queue().areas().avail + 2, &far, sizeof(far));
  EXPECT_TRUE(eventually([this] { return queue_state(Role::kInflate) == "broken"; }));
  const Json device = show();
  for (const Json& q : device.at("queues")) {
    EXPECT_EQ(q.at("role") == "inflate", q.at("reason") != "");
  }
  must(driver_->deflate(std::span(pages_).first(1)));
  must(driver_->reset());
  expect_still_working();
}

TEST_F(BadInput, AGuestThatBalloonsItsOwnRings) {
  std::vector<Pfn> own;
  for (std::uint32_t pfn = 0; driver_->arena().holds(Pfn{pfn}); ++pfn) own.push_back(Pfn{pfn});
  std::memcpy(ram_.at(kBuffer, own.size() * 4).data(), own.data(), own.size() * 4);
  const auto bytes = static_cast<std::uint32_t>(own.size() * 4);
  ASSERT_TRUE(queue().add(std::vector<Segment>{{kBuffer, bytes, false}}));
  queue().publish();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_TRUE(daemon_.alive());
  driver_.reset();
  driver_ = connect(late());
  pages_ = fill(*driver_);
  expect_still_working();
}

TEST_F(BadInput, AUsedRingThatTheGuestOverwrites) {
  must(driver_->inflate(std::span(pages_).first(10)));
  if (queue().packed()) {
    std::memset(queue().place().descriptors, 0xFF, wire::descriptor_table_bytes(queue().size()));
  } else {
    std::memset(queue().areas().used, 0xFF, wire::used_ring_bytes(queue().size()));
  }
  const std::array<std::uint32_t, 1> words{pages_[10].value};
  write(kBuffer, words);
  ASSERT_TRUE(queue().add(std::vector<Segment>{{kBuffer, 4, false}}));
  queue().publish();
  EXPECT_TRUE(eventually([this] { return ballooned() == 11; }));
  EXPECT_TRUE(daemon_.alive());
  driver_.reset();
  driver_ = connect(late());
  pages_ = fill(*driver_);
  expect_still_working();
}

/// Not offered. Before there is a memory table, there is nothing that could be added to.
TEST_F(BadInput, AMemoryRegionAloneIsRefused) {
  driver_.reset();
  const std::vector<int> one(1, ram_.table_fds().front());
  for (const auto request : {wire::Request::kAddMemReg, wire::Request::kRemMemReg}) {
    auto socket = must(driver::MessageSocket::connect(daemon_.socket(device_),
                                                      driver::Deadline(std::chrono::seconds(5))));
    driver::FrontEnd front_end(std::move(socket), std::chrono::seconds(5));
    EXPECT_FALSE(front_end.tell(request, std::vector<std::byte>(40), one) &&
                 front_end.get_features());
  }
  EXPECT_TRUE(daemon_.alive());
  driver_ = connect(late());
  pages_ = fill(*driver_);
  expect_still_working();
}

/// Descriptors that nobody asked for are closed, also with messages that the daemon answers itself.
TEST_F(BadInput, DescriptorsOfAMessageAreNotKept) {
  const auto open_files = [this] {
    const std::filesystem::path folder = "/proc/" + std::to_string(daemon_.pid()) + "/fd";
    return std::distance(std::filesystem::directory_iterator(folder), {});
  };
  const auto before = open_files();
  const std::vector<int> many(8, STDERR_FILENO);
  std::vector<std::byte> payload(12 + 4);
  payload[4] = std::byte{4};  // size
  for (int i = 0; i < 100; ++i) {
    const auto answer = must(driver_->front_end().ask(wire::Request::kGetConfig, payload, many));
    EXPECT_TRUE(answer.fds.empty());
  }
  // They are closed on a thread of its own, and so a moment later.
  EXPECT_TRUE(eventually([&] { return open_files() <= before + 16; })) << open_files();
}

}  // namespace
}  // namespace vballoon::model
