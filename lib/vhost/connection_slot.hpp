// SPDX-License-Identifier: BSD-3-Clause
//
// vhost/connection_slot.hpp - the connection that a device serves, and the one that waits for it.
// Why:    librte_vhost accepts a VMM that comes back at once before it sees the end of the VMM's
//         old connection. So one connection may wait, and exchange messages about the protocol. It
//         is served when the old connection is gone; if it asks for the device earlier, it is
//         turned away.
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

  /// Whether another connection may come at all: none while one waits, nor for a moment after one
  /// that was ended because of its messages.
  /// @param client  the device connects to its VMM. Then only close() keeps connections away:
  ///                librte_vhost makes one a second at most, and would not try again.
  [[nodiscard]] bool admits(bool client) const noexcept;
  [[nodiscard]] bool taken() const noexcept { return served_.has_value(); }
  [[nodiscard]] bool has_waiting() const noexcept { return waiting_.has_value(); }
  [[nodiscard]] Place place_of(int vid) const noexcept;

  /// @pre not taken()
  void serve(int vid, Connection connection) noexcept;
  /// @pre taken(), and no connection waits
  void queue(int vid, Connection connection) noexcept;
  /// This connection is gone. No effect unless it is the one that waits.
  void drop_waiting(int vid) noexcept;
  /// The served connection is gone, or is about to go.
  void vacate() noexcept;
  /// The connection that waited is served now. @return false where none waited. @pre not taken()
  bool advance() noexcept;
  /// The served one is from now on this. @pre taken()
  void replace(Connection connection) noexcept { connection_ = std::move(connection); }
  /// Ends both connections, and admits no other. The served one stays here until vacate().
  /// @param hands_on  the served one is not ended: another process goes on with it.
  void close(bool hands_on) noexcept;
  [[nodiscard]] bool closed() const noexcept { return closed_; }

  /// @return the served connection's number; nothing where none is served.
  [[nodiscard]] std::optional<int> vid() const noexcept;
  /// @return the served connection; an invalid one where none is served.
  [[nodiscard]] const Connection& connection() const noexcept { return connection_; }
  /// @pre place_of(vid) is not kNone
  [[nodiscard]] Connection& connection_of(int vid) noexcept;

  /// Notes why this daemon ends the served connection, where its messages are not the reason.
  void blame(std::string why) { ended_why_ = std::move(why); }
  /// Ends the connections whose process is gone.
  void end_orphans();
  /// Judges how the served connection ended. librte_vhost may have ended it because of a message
  /// that cost the event thread a wait; then no other connection is admitted for a moment. After
  /// one that the VMM ended, the next is admitted at once.
  /// @return the end in words for the log. @pre taken(), and librte_vhost says that it is gone
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
