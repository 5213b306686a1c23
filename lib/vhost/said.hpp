// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/said.hpp - what a VMM said on its connection that holds still: the newest message of each
//                  kind, with its descriptors.
// Thread: the device's lock guards all of it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "base/unique_fd.hpp"
#include "vhost/message.hpp"
#include "vhost/record.hpp"

namespace vballoon::vhost {

class Said {
 public:
  /// Before librte_vhost acts on a message, and takes its descriptors: whatever is to be remembered
  /// of it, should librte_vhost accept it.
  void hear(const Message& message);
  /// librte_vhost accepted it. @return whether there was any.
  bool accept();
  /// As accept(), of one that the next daemon hears in a record.
  void repeat(SaidMessage message, std::vector<UniqueFd> descriptors);

  /// An in-flight region is about to be sent, with the answer to GET_INFLIGHT_FD.
  /// @param witness  of it: see keep/lent.hpp.
  void lend(UniqueFd witness);
  /// @return that witness; -1 where there is none.
  [[nodiscard]] int witness() const noexcept;
  /// What became of that answer is known.
  void forget_lent();

  /// The ring was stopped by GET_VRING_BASE, which takes away what it was kicked and called by.
  void take_away(unsigned ring);
  /// The ring goes on there, unless its front end says otherwise.
  void stand_at(unsigned ring, std::uint16_t position);
  /// There is no memory table.
  void forget_memory();

  /// Descriptors of a message could not be duplicated: what is here is not all.
  [[nodiscard]] bool incomplete() const noexcept { return incomplete_; }

  /// All messages, in their order.
  [[nodiscard]] std::vector<SaidMessage> messages() const;
  /// All descriptors, in that order.
  void list(std::vector<int>* fds) const;

 private:
  struct Entry {
    SaidMessage message;
    std::vector<UniqueFd> descriptors;
  };
  void drop(wire::Request request, unsigned ring);

  std::map<unsigned, Entry> entries_;  // by order_of()
  std::optional<Entry> heard_;
  bool incomplete_ = false;
};

}  // namespace vballoon::vhost
