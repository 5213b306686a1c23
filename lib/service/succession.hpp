// SPDX-License-Identifier: BSD-3-Clause
//
// service/succession.hpp - what this daemon knows of the one before, and who starts the next.
// Thread: the control thread.
#pragma once

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <optional>
#include <string>

#include "keep/life_sign.hpp"
#include "keep/manager.hpp"
#include "keep/notifier.hpp"
#include "keep/store.hpp"

namespace vballoon::service {

class Succession {
 public:
  /// All arguments outlive this.
  Succession(asio::io_context& loop, keep::Inherited& inherited, const keep::Store& store,
             keep::Notifier& notifier);

  /// What is known of the daemon before this one; nothing where there was none.
  [[nodiscard]] std::optional<keep::LifeSign::Earlier> earlier() const;
  /// This daemon is about to end by SIGTERM, and the next one is to start. A keeper takes exit
  /// status 0 for the end of the service otherwise.
  void call_next() const noexcept;
  /// This daemon lives. Costs no system call.
  void beat() noexcept {
    if (sign_) sign_->beat();
  }

  [[nodiscard]] const keep::Manager& manager() const noexcept { return manager_; }
  /// "vballoon-keeper", "service manager" or "nobody".
  [[nodiscard]] const char* who() const noexcept;
  /// What an operator has to know of it; empty where all is well.
  [[nodiscard]] std::string trouble() const;

 private:
  void wait_for_end();

  keep::Manager manager_;
  asio::posix::stream_descriptor end_;  // of the keeper
  std::optional<keep::LifeSign> sign_;  // nothing: nobody keeps it
};

}  // namespace vballoon::service
