// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/connection_slot.hpp - which connection has a device, and which one waits for it.
// Why:    librte_vhost accepts a VMM that comes back at once before it sees that its old connection
//         is gone. So one may wait, and talk of what is nobody's; it takes over when the old one is
//         gone, and is turned away when it asks for the device before.
// Thread: the device's lock guards all of it.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "vhost/connection.hpp"

namespace vballoon::vhost {

class ConnectionSlot {
 public:
  enum class Place {
    kNone,
    kServed,
    kWaiting,
  };

  /// Whether another one may come at all. @param client  the device connects to its VMM: then
  /// librte_vhost would not try again, and it comes no more than once a second.
  [[nodiscard]] bool admits(bool client) const noexcept;
  [[nodiscard]] bool taken() const noexcept { return served_.has_value(); }
  [[nodiscard]] bool has_waiting() const noexcept { return waiting_.has_value(); }
  [[nodiscard]] Place place_of(int vid) const noexcept;

  /// @pre not taken()
  void serve(int vid, Connection connection) noexcept;
  /// @pre taken(), and nobody waits
  void queue(int vid, Connection connection) noexcept;
  /// The one that waits, if it is this one, is gone.
  void drop_waiting(int vid) noexcept;
  /// The served one is gone, or is about to be.
  void vacate() noexcept;
  /// The one that waited is served now, if there is one. @pre not taken()
  bool advance() noexcept;
  /// Ends both; nobody comes any more. The served one is there until vacate().
  void close() noexcept;
  [[nodiscard]] bool closed() const noexcept { return closed_; }

  /// Nothing while nobody is served.
  [[nodiscard]] std::optional<int> vid() const noexcept;
  /// Of the one that is served; an invalid one where there is none.
  [[nodiscard]] const Connection& connection() const noexcept { return connection_; }
  /// @pre place_of(vid) is not kNone
  [[nodiscard]] Connection& connection_of(int vid) noexcept;

  /// It is us who end the served one, and not for what came over it.
  void blame(std::string why) { ended_why_ = std::move(why); }
  /// Those whose process is gone are ended.
  void end_orphans();
  /// Where librte_vhost ended it because of what came, which may have cost the event thread a wait,
  /// the next one has to wait itself. One that went by itself is welcome at once.
  /// @return what to say of its end. @pre taken(), and librte_vhost says that it is gone
  [[nodiscard]] std::string judge_end();

 private:
  std::optional<int> served_;
  std::optional<int> waiting_;
  Connection connection_;  // of served_
  Connection next_;        // of waiting_
  std::string ended_why_;
  std::chrono::steady_clock::time_point banned_until_{};
  bool closed_ = false;
};

}  // namespace vballoon::vhost
