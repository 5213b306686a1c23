// SPDX-License-Identifier: BSD-3-Clause
//
// A law that is ended between any two turns decides as one that is not. Whatever lies in its book
// does no harm. A seed that fails is in the trace of the failure.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "observed.hpp"
#include "policy/balance_law.hpp"
#include "policy/guest_view.hpp"
#include "policy/pressure_law.hpp"

namespace vballoon::policy {
namespace {

constexpr Time kInterval{1000};
constexpr std::uint64_t kPage = 64 * kKiB;

template <typename L>
std::unique_ptr<Law> new_law(keep::Book* book) {
  if constexpr (std::is_same_v<L, PressureLaw>) {
    return std::make_unique<L>(PressureSettings(), book);
  } else {
    return std::make_unique<L>(book);
  }
}

/// A law in a process that may end. Each process numbers samples and messages itself.
template <typename L>
class MortalLaw {
 public:
  /// The process ends, and the next one is there.
  void end() {
    UniqueFd fd = UniqueFd::duplicate(book_->fd());
    law_.reset();
    book_.emplace(keep::Book::adopt(L::kForm, std::move(fd)).value());
    law_ = new_law<L>(&*book_);
    begun_ = false;
    before_ = counted_;
  }

  std::vector<Decision> decide(const Observation& seen) {
    if (!std::exchange(begun_, true)) {
      law_->keep_only([&seen](std::string_view name) {
        return std::any_of(seen.vms.begin(), seen.vms.end(),
                           [name](const VmObservation& vm) { return vm.name == name; });
      });
    }
    Observation own = seen;
    for (VmObservation& vm : own.vms) {
      counted_[vm.name].messages = vm.pressure_messages;
      if (vm.sample) counted_[vm.name].sequence = vm.sample->sequence;
      vm.pressure_messages -= before_[vm.name].messages;
      if (vm.sample) vm.sample->sequence -= before_[vm.name].sequence;
    }
    return law_->decide(own);
  }
  void forget(const std::string& name) {
    law_->forget(name);
    counted_.erase(name);
    before_.erase(name);
  }

  /// @pre it has just ended. So much of the book is overwritten.
  void scribble(std::mt19937_64& random, int value) {
    const off_t bytes = ::lseek(book_->fd(), 0, SEEK_END);
    std::vector<std::uint8_t> all(static_cast<std::size_t>(bytes));
    ASSERT_EQ(::pread(book_->fd(), all.data(), all.size(), 0), bytes);
    const auto byte = [&] {
      return static_cast<std::uint8_t>(value < 0 ? random() : static_cast<std::uint64_t>(value));
    };
    const std::size_t first = all.size() - keep::Book::kPages * L::kForm.page_bytes;
    for (std::size_t i = first - keep::Book::kFrontBytes; i < first; ++i) all[i] = byte();
    for (std::size_t i = first; i < all.size(); ++i) {
      const bool in_name = (i - first) % L::kForm.page_bytes < sizeof(keep::PageName);
      if (!in_name && (value >= 0 || random() % 4 != 0)) all[i] = byte();
    }
    ASSERT_EQ(::pwrite(book_->fd(), all.data(), all.size(), 0), bytes);
  }

 private:
  struct Counts {
    std::uint64_t messages = 0;
    std::uint64_t sequence = 0;
  };

  std::optional<keep::Book> book_{keep::Book::make(L::kForm).value()};
  std::unique_ptr<Law> law_ = new_law<L>(&*book_);
  bool begun_ = false;
  std::map<std::string, Counts> counted_;
  std::map<std::string, Counts> before_;  // by earlier processes
};

/// VMs that do anything, on a host that has more or less.
class RandomHost {
 public:
  explicit RandomHost(unsigned seed) : random_(seed) {
    seen_ = host_with({});
    seen_.sample_interval = kInterval;
    const std::uint64_t count = below(8) + 1;
    for (std::uint64_t i = 0; i < count; ++i) seen_.vms.push_back(new_vm(std::to_string(i)));
  }

  [[nodiscard]] std::uint64_t below(std::uint64_t most) { return random_() % most; }
  [[nodiscard]] bool one_in(std::uint64_t n) { return below(n) == 0; }
  [[nodiscard]] std::mt19937_64& random() { return random_; }
  [[nodiscard]] const Observation& seen() const { return seen_; }
  /// The VM that goes, if one does; another one of that name comes later.
  std::optional<std::string> remove_one() {
    if (seen_.vms.empty() || !one_in(20)) return std::nullopt;
    const auto at = seen_.vms.begin() + static_cast<std::ptrdiff_t>(below(seen_.vms.size()));
    std::string name = at->name;
    seen_.vms.erase(at);
    return name;
  }
  void bring(const std::string& name) { seen_.vms.push_back(new_vm(name)); }

  void go_on(const std::vector<Decision>& decisions) {
    for (std::size_t i = 0; i < decisions.size(); ++i) seen_.vms[i].target = decisions[i].target;
    seen_.now += Time(1 + static_cast<int>(below(kInterval.count())));
    seen_.host_pressure = one_in(8) ? 1 + static_cast<unsigned>(below(3)) : 0;
    PoolObservation& pool = seen_.pools.front();
    if (one_in(4)) pool.available = below(4) * kGiB + below(kGiB);
    for (VmObservation& vm : seen_.vms) go_on(&vm);
  }

 private:
  VmObservation new_vm(const std::string& name) {
    VmObservation vm = running_vm(name);
    vm.guest = vm.table = (256 + below(4096)) * kMiB;
    vm.limits.weight = 1 + below(400);
    if (one_in(3)) vm.limits.floor = vm.guest / (1 + below(8));
    if (one_in(3)) vm.limits.ceiling = vm.guest / 4 * (1 + below(4));
    vm.automatic = !one_in(8);
    vm.sample->sequence = 0;
    say(&vm);
    return vm;
  }

  void go_on(VmObservation* vm) {
    if (one_in(2)) vm->actual = vm->target;
    if (one_in(8)) vm->actual += (std::max(vm->target, vm->actual) - vm->actual) / 2;
    vm->running = !one_in(30);
    vm->knows_actual = !one_in(30);
    vm->inhibited = one_in(20);
    if (one_in(100)) vm->table += kMiB;
    if (one_in(10)) vm->pressure_messages += 1 + below(10);
    vm->resident = vm->guest - vm->actual / 2;
    say(vm);
  }

  /// The truth, or nothing: then nobody has its earlier words.
  void say(VmObservation* vm) {
    if (one_in(6)) return vm->sample.reset();
    GuestSample sample;
    sample.sequence = ++sequence_;
    sample.age = Time(static_cast<int>(below(100)));
    if (one_in(2)) sample.actual = vm->actual;
    sample.available = below(vm->guest - std::min(vm->actual, vm->guest) + 1);
    std::uint64_t& swapped = swapped_[vm->name];
    if (one_in(6)) swapped += below(256 * kMiB);
    if (one_in(40)) swapped = below(kGiB);
    sample.swap_in = sample.swap_out = sample.major_faults = swapped;
    vm->sample = sample;
  }

  std::mt19937_64 random_;
  Observation seen_;
  std::uint64_t sequence_ = 0;
  std::map<std::string, std::uint64_t> swapped_;
};

void expect_same(const std::vector<Decision>& one, const std::vector<Decision>& other) {
  ASSERT_EQ(one.size(), other.size());
  for (std::size_t i = 0; i < one.size(); ++i) {
    ASSERT_EQ(one[i].target, other[i].target) << i;
    ASSERT_EQ(rule_name(one[i].rule), rule_name(other[i].rule)) << i;
    ASSERT_EQ(one[i].signs, other[i].signs) << i;
    ASSERT_EQ(one[i].terms.size(), other[i].terms.size()) << i;
    for (std::size_t k = 0; k < one[i].terms.size(); ++k) {
      ASSERT_EQ(one[i].terms[k].value, other[i].terms[k].value) << i << one[i].terms[k].name;
    }
  }
}

/// What no law may do, whatever it remembers.
void expect_limits(const Observation& seen, const std::vector<Decision>& decisions) {
  ASSERT_EQ(decisions.size(), seen.vms.size());
  for (std::size_t i = 0; i < decisions.size(); ++i) {
    const VmObservation& vm = seen.vms[i];
    const Decision& decision = decisions[i];
    if (decision.target == vm.target) continue;
    ASSERT_TRUE(vm.automatic && vm.running) << rule_name(decision.rule);
    ASSERT_LE(decision.target + floor_of(vm), vm.guest) << rule_name(decision.rule);
    // Where it does not say what it has, memory is given back without a look at the ceiling.
    if (!vm.sample || !vm.knows_actual) continue;
    if (decision.target > vm.target) continue;
    ASSERT_GE(decision.target + kPage + ceiling_of(vm), vm.guest) << rule_name(decision.rule);
  }
}

template <typename L>
class KeptLaw : public ::testing::Test {
 protected:
  static constexpr int kTurns = 120;

  static void end_between_turns(unsigned seed) {
    RandomHost host(seed);
    const auto whole = new_law<L>(nullptr);
    MortalLaw<L> mortal;
    std::vector<std::string> gone;
    for (int turn = 0; turn < kTurns && !HasFatalFailure(); ++turn) {
      if (host.one_in(3)) mortal.end();
      const auto expected = whole->decide(host.seen());
      expect_same(mortal.decide(host.seen()), expected);
      host.go_on(expected);
      if (!gone.empty() && host.one_in(3)) {
        host.bring(gone.back());
        gone.pop_back();
      }
      if (const auto name = host.remove_one()) {
        whole->forget(*name);
        mortal.forget(*name);
        gone.push_back(*name);
      }
    }
  }

  static void survive(unsigned seed, int value) {
    RandomHost host(seed);
    MortalLaw<L> mortal;
    for (int turn = 0; turn < kTurns && !HasFatalFailure(); ++turn) {
      if (host.one_in(4)) {
        mortal.end();
        mortal.scribble(host.random(), value);
      }
      const auto decisions = mortal.decide(host.seen());
      expect_limits(host.seen(), decisions);
      host.go_on(decisions);
    }
  }
};

using Laws = ::testing::Types<BalanceLaw, PressureLaw>;
TYPED_TEST_SUITE(KeptLaw, Laws);

TYPED_TEST(KeptLaw, ThatIsEndedBetweenAnyTwoTurnsDecidesAsOneThatIsNot) {
  for (unsigned seed = 1; seed <= 40 && !this->HasFatalFailure(); ++seed) {
    SCOPED_TRACE(seed);
    TestFixture::end_between_turns(seed);
  }
}

TYPED_TEST(KeptLaw, KeepsToTheLimitsWhateverLiesInItsBook) {
  for (unsigned seed = 1; seed <= 30 && !this->HasFatalFailure(); ++seed) {
    SCOPED_TRACE(seed);
    TestFixture::survive(seed, -1);
  }
  for (const int value : {0x00, 0x01, 0x7F, 0x80, 0xFF}) {
    SCOPED_TRACE(value);
    TestFixture::survive(1, value);
  }
}

TEST(KeptLaws, OneDoesNotReadTheBookOfTheOther) {
  const auto balance = keep::Book::make(BalanceLaw::kForm).value();
  const auto pressure = keep::Book::make(PressureLaw::kForm).value();
  EXPECT_FALSE(keep::Book::adopt(PressureLaw::kForm, UniqueFd::duplicate(balance.fd())));
  EXPECT_FALSE(keep::Book::adopt(BalanceLaw::kForm, UniqueFd::duplicate(pressure.fd())));
  EXPECT_NE(BalanceLaw::kForm.magic, PressureLaw::kForm.magic);
  EXPECT_EQ(BalanceLaw::kForm.name, PressureLaw::kForm.name) << "one gives way to the other";
}

/// As a process leaves it, which looked at the same guest until now.
struct KeptWatch : ::testing::Test {
  KeptWatch() {
    seen.sample_interval = kInterval;
    vm().target = 512 * kMiB;
    look();
  }
  VmObservation& vm() { return seen.vms.front(); }
  GuestView look(Time later = kInterval) {
    seen.now += later;
    if (vm().sample) ++vm().sample->sequence;
    return watch.look(vm(), seen);
  }
  /// @param away  how much longer than an interval nobody looked.
  GuestView look_in_the_next_process(Time away = Time(0)) {
    seen.now += kInterval + away;
    watch.take_up(seen);
    return watch.look(vm(), seen);
  }

  Observation seen = host_with({running_vm("a")});
  GuestWatch watch;
};

TEST_F(KeptWatch, ATimeThatNobodyServedADriverIsNoStall) {
  look(Time(3000));
  EXPECT_FALSE(look_in_the_next_process(Time(60'000)).stalled);
  EXPECT_TRUE(look(Time(1000)).stalled) << "the patience before counts";
}

TEST_F(KeptWatch, AStallGoesOn) {
  EXPECT_TRUE(look(GuestWatch::kPatience).stalled);
  EXPECT_TRUE(look_in_the_next_process().stalled);
  vm().actual = 2 * GuestWatch::kLeastProgress;
  EXPECT_FALSE(look().stalled);
}

TEST_F(KeptWatch, MessagesToTheNextProcessAreNew) {
  vm().pressure_messages = 5;
  look();
  vm().pressure_messages = 2;
  EXPECT_EQ(look_in_the_next_process().pressure, 2U);
  EXPECT_EQ(look().pressure, 0U);
}

TEST_F(KeptWatch, ASampleForTheNextProcessIsNewWhateverItsNumber) {
  vm().sample->available = 100 * kMiB;
  EXPECT_EQ(look_in_the_next_process().available, 100 * kMiB);
}

TEST_F(KeptWatch, CountersOfTheGuestGoOn) {
  vm().sample->swap_in = 1000;
  look();
  vm().sample->swap_in = 1500;
  EXPECT_EQ(look_in_the_next_process().swapped, 500U);
}

TEST_F(KeptWatch, OneThatSaysItLookedInTheFutureKnowsNothing) {
  vm().sample->swap_in = 1000;
  look();
  seen.now -= 3 * kInterval;
  vm().sample->swap_in = 1500;
  EXPECT_EQ(look_in_the_next_process().swapped, 0U);
}

}  // namespace
}  // namespace vballoon::policy
