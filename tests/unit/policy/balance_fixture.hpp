// SPDX-License-Identifier: BSD-3-Clause
//
// balance_fixture.hpp - law balance over two VMs of one host.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "observed.hpp"
#include "policy/balance_law.hpp"

namespace vballoon::policy {

struct BalanceLawTest : ::testing::Test {
  Observation seen = host_with({running_vm("a"), running_vm("b")});
  BalanceLaw law;

  VmObservation& vm() { return seen.vms[0]; }
  VmObservation& other() { return seen.vms[1]; }
  PoolObservation& host() { return seen.pools.front(); }

  /// The host has what is to be kept and so much more for both, what they take included; what is
  /// missing is on its swap.
  void budget(std::uint64_t bytes) {
    std::uint64_t taken = 0;
    for (const VmObservation& one : seen.vms) taken += one.guest - one.actual;
    host().reserve = 800 * kMiB;
    host().available = 900 * kMiB + bytes - std::min(bytes, taken);
    host().swapped = taken - std::min(bytes, taken);
    for (VmObservation& one : seen.vms) one.resident = one.guest - one.actual;
  }
  /// The host has nothing beyond what guests take, of which so much is in memory.
  void no_reserve(std::uint64_t bytes) {
    budget(bytes);
    host().reserve = 0;
    host().available -= 900 * kMiB;
  }
  void balloon(VmObservation& one, std::uint64_t bytes, std::uint64_t available) {
    one.target = one.actual = bytes;
    one.sample->available = available;
  }
  Decision decide(Time later = Time(1000)) {
    seen.now += later;
    for (VmObservation& one : seen.vms) {
      if (one.sample) ++one.sample->sequence;
    }
    return law.decide(seen).front();
  }
  static void expect(const Decision& decision, std::uint64_t mib, Rule rule) {
    EXPECT_EQ(decision.target / kMiB, mib);
    EXPECT_EQ(rule_name(decision.rule), rule_name(rule));
  }
  static std::uint64_t term(const Decision& decision, std::string_view name) {
    for (std::size_t i = 0; i < decision.terms.size(); ++i) {
      if (decision.terms[i].name == name) return decision.terms[i].value;
    }
    ADD_FAILURE() << "no term " << name;
    return 0;
  }
};

}  // namespace vballoon::policy
