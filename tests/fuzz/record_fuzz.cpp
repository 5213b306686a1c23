// SPDX-License-Identifier: BSD-3-Clause
//
// tests/fuzz/record_fuzz.cpp - what lies in a bag, as anybody may have put it there. Whatever is
//                              taken for a record is in order, has what it says, and is the same
//                              when it is written again.
#include "base/check.hpp"
#include "fuzz_input.hpp"
#include "vhost/record.hpp"

namespace vballoon::fuzz {
namespace {

/// @return the number of its descriptors.
std::size_t check(const vhost::Record& record) {
  std::size_t descriptors = vhost::own_descriptors(record);
  VB_CHECK(record.connected || record.said.empty());
  VB_CHECK(record.settings.size() <= vhost::kMaxSettingsBytes);
  for (std::size_t i = 0; i < record.said.size(); ++i) {
    const vhost::SaidMessage& message = record.said[i];
    VB_CHECK(vhost::is_said(message.request));
    VB_CHECK(message.payload.size() <= vhost::longest_payload(message.request));
    VB_CHECK(i == 0 || vhost::order_of(record.said[i - 1]) < vhost::order_of(message));
    descriptors += message.descriptors;
  }
  return descriptors;
}

}  // namespace

void run(Input input) {
  const std::size_t descriptors = input.byte();
  const auto bytes = input.bytes(SIZE_MAX);
  const auto record = vhost::decode(bytes, descriptors);
  if (!record) return;
  VB_CHECK(check(*record) == descriptors && descriptors <= vhost::kRecordDescriptors);
  const auto again = vhost::decode(vhost::encode(*record), descriptors);
  VB_CHECK(again && *again == *record);
}

}  // namespace vballoon::fuzz
