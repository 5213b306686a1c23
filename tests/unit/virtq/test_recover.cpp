// SPDX-License-Identifier: BSD-3-Clause
//
// A ring whose owner is killed between any two instructions: another one goes on, and every buffer
// comes back exactly once, in order.
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <deque>
#include <random>
#include <span>
#include <vector>

#include "packed_fixture.hpp"
#include "queue_fixture.hpp"
#include "virtq/queue.hpp"

namespace vballoon::virtq {
namespace {

constexpr unsigned kRingSize = 16;
// A step costs microseconds, and a sanitizer's code has many more of them.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kKills = 5;
#else
constexpr int kKills = 100;
#endif

/// Words that a child's stores are seen in.
class SharedWords {
 public:
  SharedWords()
      : at_(static_cast<std::uint64_t*>(
            ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {}
  ~SharedWords() { ::munmap(at_, 4096); }
  [[nodiscard]] MarkWords words() const { return {{&at_[0], &at_[1]}}; }
  [[nodiscard]] Mark mark(unsigned i) const { return std::bit_cast<Mark>(at_[i]); }

 private:
  std::uint64_t* at_;
};

/// Returns buffers, a few at a time, until it is killed. No system call after the stop.
[[noreturn]] void serve(Queue queue, std::uint32_t seed) {
  std::array<Head, kRingSize> heads;
  ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
  ::raise(SIGSTOP);
  for (;;) {
    seed = seed * 1664525 + 1013904223;
    const std::size_t popped = queue.pop(std::span(heads).first(1 + (seed >> 16) % 6));
    for (std::size_t i = 0; i < popped; ++i) queue.stage(heads[i], 0);
    static_cast<void>(queue.publish());
  }
}

/// A process that does one instruction at a time, so that it can be killed between any two.
class Stepped {
 public:
  Stepped(const Queue& queue, std::uint32_t seed) : pid_(::fork()) {
    if (pid_ == 0) serve(queue, seed);
    ::waitpid(pid_, nullptr, 0);
  }
  ~Stepped() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Stepped(const Stepped&) = delete;
  Stepped& operator=(const Stepped&) = delete;
  void step() const {
    ::ptrace(PTRACE_SINGLESTEP, pid_, nullptr, nullptr);
    ::waitpid(pid_, nullptr, 0);
  }

 private:
  const pid_t pid_;
};

template <typename Fixture>
class Recover : public ::testing::Test {
 protected:
  void take_back(std::uint32_t id) {
    ASSERT_FALSE(out_.empty());
    ASSERT_EQ(id, out_.front().id);
    used_ -= out_.front().length;
    out_.pop_front();
  }
  void collect() {
    for (const std::uint32_t id : fixture_.ring().collect()) take_back(id);
  }
  template <typename Send>
  void send_some(Send send) {
    for (unsigned i = 0; i < 1 + random_() % kRingSize; ++i) send();
  }
  /// Instructions until the first buffers are back, the way out of raise() included.
  template <typename Send>
  unsigned measure(const QueueAreas& areas, std::uint16_t position, Send send) {
    send();
    const Stepped owner(Queue::open(areas, position, fixture_.memory()).value(), 1);
    unsigned steps = 0;
    for (const std::size_t before = out_.size(); out_.size() == before && steps < 1U << 20U;
         ++steps) {
      owner.step();
      collect();
    }
    return steps;
  }
  template <typename Send>
  void kill_many(const QueueAreas& areas, std::uint16_t begin, Send send) {
    const unsigned steps = measure(areas, begin, send);
    std::uint16_t position = moved(begin);
    for (int i = 0; i < kKills && !HasFatalFailure(); ++i) {
      Queue queue = Queue::open(areas, position, fixture_.memory()).value();
      queue.keep_mark(shared_.words());
      {
        const Stepped owner(queue, static_cast<std::uint32_t>(random_()));
        send_some(send);
        // Chance finds the few instructions between the two stores of a mark too seldom.
        const bool between = i % 4 == 0;
        unsigned left = 3 * steps;
        if (!between) left = static_cast<unsigned>(random_()) % left;
        for (; left > 0; --left) {
          owner.step();
          if (between && !shared_.mark(1).settled()) break;
          if (left % 64 != 0) continue;
          collect();
          send();
        }
      }
      unsettled_ += shared_.mark(1).settled() ? 0 : 1;
      const auto on = recover(areas, shared_.mark(1), fixture_.memory());
      ASSERT_TRUE(on);
      // Twice is as good as once: whoever recovers may be killed, too.
      collect();
      send();
      const auto twice = recover(areas, shared_.mark(1), fixture_.memory());
      ASSERT_TRUE(twice);
      ASSERT_EQ(twice->position, on->position);
      position = on->position;
    }
    EXPECT_GT(unsettled_, 0) << "nobody was killed between the two stores of a mark";
    Queue queue = Queue::open(areas, position, fixture_.memory()).value();
    std::array<Head, kRingSize> heads;
    for (const Head head : std::span(heads).first(queue.pop(heads))) queue.stage(head, 0);
    static_cast<void>(queue.publish());
    collect();
    EXPECT_TRUE(out_.empty()) << out_.size() << " buffers never came back";
    RecordProperty("killed_while_publishing", unsettled_);
  }

  /// Where a ring stands once one buffer of one descriptor is used.
  [[nodiscard]] static std::uint16_t moved(std::uint16_t begin) {
    return static_cast<std::uint16_t>(begin + 1);
  }

  struct Out {
    std::uint32_t id = 0;
    unsigned length = 1;
  };
  Fixture fixture_{kRingSize};
  SharedWords shared_;
  std::mt19937 random_{std::random_device{}()};
  std::deque<Out> out_;
  unsigned used_ = 0;  // descriptors
  std::uint16_t next_ = 0;
  int unsettled_ = 0;
};

using RecoverSplit = Recover<QueueFixture>;
using RecoverPacked = Recover<PackedFixture>;

TEST_F(RecoverSplit, EveryBufferComesBackOnce) {
  const auto send = [this] {
    if (used_ == kRingSize) return;
    const auto head = static_cast<std::uint16_t>(next_++ % kRingSize);
    out_.push_back({head, 1});
    ++used_;
    fixture_.ring().send(head, {{kBuffers, 8, false}});
  };
  kill_many(fixture_.ring().areas(), 0, send);
}

TEST_F(RecoverPacked, EveryBufferComesBackOnce) {
  const auto send = [this] {
    const unsigned length = next_ == 0 ? 1 : 1 + static_cast<unsigned>(random_() % 3);
    if (used_ + length > kRingSize) return;
    const std::uint16_t id = next_++;
    out_.push_back({id, length});
    used_ += length;
    fixture_.ring().send(id, std::vector<test::Piece>(length, {kBuffers, 8, false}));
  };
  kill_many(fixture_.ring().areas(), wire::kPackedBegin, send);
}

TEST_F(RecoverSplit, AMarkOfAnotherRingIsNone) {
  const QueueAreas areas = fixture_.ring().areas();
  const auto on = [&](const Mark& mark) {
    const auto found = recover(areas, mark, fixture_.memory());
    EXPECT_TRUE(!found || found->sure) << "the used index shows it";
    return found ? std::optional(found->position) : std::nullopt;
  };
  fixture_.ring().set_used_idx(7);
  EXPECT_EQ(on({9, 9, 7, 0}), 9);
  EXPECT_EQ(on({9, 11, 7, 0}), 11);  // published
  EXPECT_EQ(on({9, 11, 9, 0}), 9);   // not yet
  EXPECT_EQ(on({9, 9, 8, 0}), std::nullopt);
  EXPECT_EQ(on({9, 11, 8, 0}), std::nullopt);
  EXPECT_EQ(on({0, kRingSize + 1, 7, 0}), std::nullopt);
}

/// The guest was reset while nobody served it: its driver begins with a ring of zeroes, at the same
/// place where the mark of the old one may be.
TEST_F(RecoverPacked, ARingThatIsAnothersIsNotTakenForTheOne) {
  const QueueAreas areas = fixture_.ring().areas();
  Queue queue = Queue::open(areas, wire::kPackedBegin, fixture_.memory()).value();
  queue.keep_mark(shared_.words());
  const auto sure = [&] { return recover(areas, shared_.mark(1), fixture_.memory()).value().sure; };
  EXPECT_FALSE(sure()) << "nothing was used yet";
  std::array<Head, 1> head;
  // Two laps: the flags of zeroes are those of the second.
  for (std::uint16_t id = 0; id < 2 * kRingSize; ++id) {
    fixture_.ring().send(id, {{kBuffers, 8, false}});
    ASSERT_EQ(queue.pop(head), 1U);
    queue.stage(head[0], 0);
    static_cast<void>(queue.publish());
    EXPECT_TRUE(sure());
    const std::span ring(fixture_.ring().areas().descriptors,
                         kRingSize * sizeof(wire::PackedDescriptor));
    const std::vector<std::byte> left(ring.begin(), ring.end());
    std::ranges::fill(ring, std::byte{0});
    EXPECT_FALSE(sure()) << "after " << id;
    std::ranges::copy(left, ring.begin());
    queue.keep_mark(shared_.words());
    EXPECT_TRUE(sure()) << "who goes on at the same place keeps what was known of it";
    static_cast<void>(fixture_.ring().collect());
  }
}

/// A driver that goes on while nobody serves it overwrites all that was used.
TEST_F(RecoverPacked, ARingThatWasFilledSinceIsKnownAllTheSame) {
  const QueueAreas areas = fixture_.ring().areas();
  Queue queue = Queue::open(areas, wire::kPackedBegin, fixture_.memory()).value();
  queue.keep_mark(shared_.words());
  std::array<Head, kRingSize> heads;
  const auto fill = [this] {
    for (unsigned i = 0; i < kRingSize; ++i) {
      fixture_.ring().send(next_++, {{kBuffers, 8, false}});
    }
  };
  fill();
  for (unsigned used = 1; used < 4 * kRingSize; ++used) {
    ASSERT_EQ(queue.pop(std::span(heads).first(1)), 1U);
    queue.stage(heads[0], 0);
    static_cast<void>(queue.publish());
    ASSERT_EQ(fixture_.ring().collect().size(), 1U);
    fixture_.ring().send(next_++, {{kBuffers, 8, false}});
    const auto found = recover(areas, shared_.mark(1), fixture_.memory());
    ASSERT_TRUE(found);
    // Where the first lap begins, it is as a new driver's would be.
    EXPECT_EQ(found->sure, used % (2 * kRingSize) != 0) << "after " << used;
  }
}

TEST_F(RecoverPacked, AMarkBeyondTheRingIsNone) {
  const QueueAreas areas = fixture_.ring().areas();
  for (const Mark mark :
       {Mark{kRingSize, 0, 0, 0}, Mark{0, kRingSize, 0, 0}, Mark{0, 0, 0x7fff, 0}}) {
    EXPECT_FALSE(recover(areas, mark, fixture_.memory()));
  }
}

TEST_F(RecoverPacked, AnyMarkStaysInsideTheRing) {
  const QueueAreas areas = fixture_.ring().areas();
  unsigned recovered = 0, refused = 0;
  for (int i = 0; i < 20000; ++i) {
    auto mark = std::bit_cast<Mark>(std::uint64_t{random_()} << 32U | random_());
    // Most positions of 15 bits are far outside: every other mark is about the ring or just behind.
    if (i % 2 == 0) {
      for (std::uint16_t* const position : {&mark.published, &mark.about, &mark.detail}) {
        *position = static_cast<std::uint16_t>(random_() % (kRingSize + 1) | (random_() & 0x8000));
      }
    }
    const auto on = recover(areas, mark, fixture_.memory());
    ++(on ? recovered : refused);
    if (on) {
      EXPECT_LT(on->position & ~wire::kPositionWrap, static_cast<int>(kRingSize));
    }
  }
  EXPECT_GT(recovered, 1000U);
  EXPECT_GT(refused, 1000U);
}

}  // namespace
}  // namespace vballoon::virtq
