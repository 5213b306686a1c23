// SPDX-License-Identifier: BSD-3-Clause
#include "lcore/crew.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/clock.hpp"
#include "base/in_hand.hpp"
#include "base/log.hpp"

namespace vballoon::lcore {
namespace {

/// Whether a thread sleeps in the kernel. A thread that is only preempted does not.
/// @param stat  the thread's /proc/thread-self/stat. If it cannot be read, the answer is yes.
bool sleeps(int stat) noexcept {
  std::array<char, 64> text{};
  const ssize_t length = ::pread(stat, text.data(), text.size(), 0);
  if (length <= 0) return true;
  const std::string_view line(text.data(), static_cast<std::size_t>(length));
  const std::size_t name_end = line.rfind(')');
  if (name_end == std::string_view::npos || name_end + 2 >= line.size()) return true;
  return line[name_end + 2] == 'S' || line[name_end + 2] == 'D';
}

/// @return an empty set where the host has more cpus than the set has room for: threads then stay
///         where they are.
cpu_set_t cpus_of_this_thread() noexcept {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  if (::sched_getaffinity(0, sizeof(cpus), &cpus) != 0) CPU_ZERO(&cpus);
  return cpus;
}

void go_to(pid_t thread, const cpu_set_t& cpus) noexcept {
  if (CPU_COUNT(&cpus) != 0) static_cast<void>(::sched_setaffinity(thread, sizeof(cpus), &cpus));
}

/// Only the control thread takes the operator's signals.
void leave_operators_signals() noexcept {
  sigset_t operators;
  sigemptyset(&operators);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&operators, signal);
  ::pthread_sigmask(SIG_BLOCK, &operators, nullptr);
}

}  // namespace

Crew::Crew(reclaim::Engine* engine) : engine_(engine), cpus_(cpus_of_this_thread()) {
  // Registers the process for membarrier(2), which takes a while once other threads run.
  static_cast<void>(Tenure().end(this, [] {}));
}

Crew::~Crew() {
  stop();
}

void Crew::serve(Post& post) {
  auto hand = std::make_unique<Hand>(engine_);
  Hand& me = *hand;
  me.cpus = cpus_of_this_thread();
  {
    const std::scoped_lock lock(mutex_);
    me.hired = true;
    hands_.push_back(std::move(hand));
    assign(me, post, true);
  }
  work(me);
}

void Crew::work(Hand& me) {
  enroll(me);
  InHand::follow(&me.tenure);
  while (Post* post = next(me)) post->run(me.tenure);
  InHand::follow(nullptr);
}

const void* Crew::whose(const Post& post) {
  const std::scoped_lock lock(mutex_);
  const auto has_it = [&post](const auto& hand) { return hand->post == &post; };
  const auto at = std::ranges::find_if(hands_, has_it);
  return at != hands_.end() ? (*at)->tenure.at() : nullptr;
}

void Crew::enroll(Hand& me) {
  UniqueFd stat(::open("/proc/thread-self/stat", O_RDONLY | O_CLOEXEC));
  const std::scoped_lock lock(mutex_);
  me.id = ::gettid();
  me.stat = std::move(stat);
}

/// @return the next post of the hand's thread; null: the thread ends.
Post* Crew::next(Hand& me) {
  std::unique_lock lock(mutex_);
  me.tenure.renew();
  if (me.then == nullptr) {
    me.post = nullptr;
    me.conduct.reset();
    const bool wanted = me.spare || spares_ < kSpares;
    if (wanted && !stopping_) {
      if (!std::exchange(me.spare, true)) ++spares_;
      go_to(0, cpus_);
      me.wake.wait(lock, [&] { return me.then != nullptr || stopping_; });
    }
  }
  if (me.then == nullptr) {
    if (std::exchange(me.spare, false)) --spares_;
    me.hired = false;
    me.id = 0;
    me.stat.reset();
    if (me.thread.joinable()) ended_.push_back(std::move(me.thread));
    over_.notify_all();
    return nullptr;
  }
  if (!me.shared) go_to(0, cpus_);
  me.seen_at = nullptr;
  return std::exchange(me.then, nullptr);
}

/// @pre the caller holds the mutex; so for all functions down to close_lane().
void Crew::assign(Hand& hand, Post& post, bool shared) noexcept {
  if (std::exchange(hand.spare, false)) --spares_;
  hand.post = hand.then = &post;
  hand.shared = shared;
  hand.seen_at = nullptr;
  hand.score = 0;
  hand.lane_is = Hand::Lane::kOpen;
  hand.wake.notify_one();
}

/// @return a spare thread that is waiting already, or null.
Crew::Hand* Crew::take_spare() noexcept {
  const auto waits = [](const auto& hand) { return hand->spare && hand->id != 0; };
  const auto at = std::ranges::find_if(hands_, waits);
  return at != hands_.end() ? at->get() : nullptr;
}

void Crew::look() noexcept {
  const std::scoped_lock lock(mutex_);
  bool all_moved = true;
  for (const auto& hand : hands_) {
    if (hand->post == nullptr) continue;
    const bool moved = look_at(*hand);
    if (hand->shared) all_moved &= moved;
  }
  for (const auto& hand : hands_) {
    if (hand->post == &hand->lane) close_lane(*hand, all_moved);
  }
}

/// @return whether the thread made progress since the last look.
bool Crew::look_at(Hand& hand) noexcept {
  // First the VM, then the progress: if the thread is in a later visit of the same VM, its progress
  // has changed.
  const void* const at = hand.tenure.at();
  const std::uint64_t progress = hand.post->progress();
  const bool moved = std::exchange(hand.seen_progress, progress) != progress;
  const bool same_visit = std::exchange(hand.seen_at, at) == at && !moved;
  if (!same_visit) hand.told = false;
  const bool asleep = at != nullptr && sleeps(hand.stat.get());
  const bool often = sleeps_often(hand, at, asleep);
  if (asleep && (same_visit || often)) stands_still(hand);
  return moved;
}

bool Crew::sleeps_often(Hand& hand, const void* at, bool asleep) noexcept {
  if (!asleep) {
    if (hand.score != 0) --hand.score;
    return false;
  }
  const bool as_before = std::exchange(hand.slept_in, at) == at;
  hand.score = std::min(as_before ? hand.score + kAsleep : kAsleep, kEnough);
  return hand.score == kEnough;
}

void Crew::stands_still(Hand& hand) noexcept {
  if (hand.shared) return take_post_of(hand);
  if (!std::exchange(hand.told, true)) {
    hand.conduct->stood_still(now_ms());
  } else {
    hand.conduct->stands_still(now_ms());
  }
}

void Crew::take_post_of(Hand& hand) noexcept {
  Hand* const successor = take_spare();
  if (successor == nullptr) return;
  Post& post = *hand.post;
  Parting parting{hand.rings, hand.lane, nullptr, nullptr};
  const auto divide = [&] { post.part_with(hand.seen_at, &parting); };
  if (!hand.tenure.end(hand.seen_at, divide)) return;
  hand.conduct = std::move(parting.conduct);
  hand.conduct->stood_still(now_ms());
  hand.conduct->lane_moves.add(1);
  const void* const held_in = hand.seen_at;
  assign(hand, *parting.goes_on_with, false);
  // The thread is still in the visit that was counted above.
  hand.seen_at = held_in;
  hand.seen_progress = hand.post->progress();
  hand.told = true;
  successor->cpus = hand.cpus;
  go_to(successor->id, successor->cpus);
  assign(*successor, post, true);
}

/// In two steps, because a reclaim lcore may be about to forward a batch to the lane. The lane is
/// closed once every lcore has made progress after turn_away().
void Crew::close_lane(Hand& hand, bool all_moved) noexcept {
  if (hand.lane_is == Hand::Lane::kOpen && !hand.conduct->slow(now_ms())) {
    hand.lane.turn_away();
    hand.lane_is = Hand::Lane::kTurnedAway;
  } else if (hand.lane_is == Hand::Lane::kTurnedAway && all_moved) {
    hand.lane.close();
    hand.lane_is = Hand::Lane::kClosed;
  }
}

/// @return a hand for a thread that is about to be started.
Crew::Hand& Crew::hire(bool spare) {
  auto fresh = std::make_unique<Hand>(engine_);
  const std::scoped_lock lock(mutex_);
  const auto free = std::ranges::find_if(hands_, [](const auto& one) { return !one->hired; });
  Hand& hand = free != hands_.end() ? **free : *fresh;
  if (free == hands_.end()) hands_.push_back(std::move(fresh));
  hand.hired = true;
  hand.spare = spare;
  if (spare) ++spares_;
  return hand;
}

/// @return false where the host starts no thread.
bool Crew::start(Hand& hand) {
  std::thread thread;
  try {
    thread = std::thread([this, &hand] {
      leave_operators_signals();
      {
        std::unique_lock lock(mutex_);
        hand.wake.wait(lock, [&] { return hand.thread.joinable(); });
      }
      work(hand);
    });
  } catch (const std::system_error& error) {
    log::warn("no thread for a VM that is slow: {}", error.what());
  }
  const std::scoped_lock lock(mutex_);
  if (!thread.joinable()) {
    hand.hired = false;
    if (std::exchange(hand.spare, false)) --spares_;
    hand.rings.disown();
    hand.post = hand.then = nullptr;
    return false;
  }
  hand.thread = std::move(thread);
  hand.wake.notify_one();
  return true;
}

void Crew::recruit() {
  std::vector<std::thread> ended;
  unsigned missing = 0;
  {
    const std::scoped_lock lock(mutex_);
    ended.swap(ended_);
    if (!stopping_ && spares_ < kSpares) missing = kSpares - spares_;
  }
  for (std::thread& thread : ended) thread.join();
  for (; missing != 0 && start(hire(true)); --missing) continue;
}

bool Crew::serve_alone(datapath::DataPath& path) {
  const auto entrust = [&](Hand& hand) {
    hand.rings.adopt(path);
    hand.conduct = path.conduct();
    assign(hand, hand.rings, false);
  };
  {
    const std::scoped_lock lock(mutex_);
    if (Hand* const spare = take_spare()) {
      entrust(*spare);
      return true;
    }
  }
  Hand& hand = hire(false);
  {
    const std::scoped_lock lock(mutex_);
    entrust(hand);
  }
  return start(hand);
}

void Crew::stop() {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  for (const auto& hand : hands_) {
    hand->rings.stop();
    hand->lane.stop();
    hand->wake.notify_one();
  }
  const auto all_over = [this] {
    return std::ranges::none_of(hands_, [](const auto& hand) { return hand->thread.joinable(); });
  };
  over_.wait(lock, all_over);
  for (std::thread& thread : std::exchange(ended_, {})) thread.join();
}

}  // namespace vballoon::lcore
