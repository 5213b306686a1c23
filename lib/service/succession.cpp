// SPDX-License-Identifier: BSD-3-Clause
#include "service/succession.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include "base/log.hpp"
#include "base/unique_fd.hpp"

namespace vballoon::service {

Succession::Succession(asio::io_context& loop, keep::Inherited& inherited, const keep::Store& store,
                       keep::Notifier& notifier)
    : manager_(notifier), end_(loop) {
  if (!trouble().empty()) log::warn("{}", trouble());
  if (manager_.end() >= 0) wait_for_end();
  if (!store.keeps()) return;
  auto sign = keep::LifeSign::begin(inherited, store, VBALLOON_VERSION);
  if (sign) {
    sign_.emplace(*std::move(sign));
  } else {
    log::warn("how long VMs are not served in a restart will not be known: {}",
              sign.error().message);
  }
}

void Succession::wait_for_end() {
  if (UniqueFd end = UniqueFd::duplicate(manager_.end()); end.valid()) end_.assign(end.release());
  if (!end_.is_open()) return;
  end_.async_wait(asio::posix::stream_descriptor::wait_read, [this](const asio::error_code& error) {
    if (error) return;
    manager_.give_up();
    end_.close();
    log::error("{}", trouble());
  });
}

std::optional<keep::LifeSign::Earlier> Succession::earlier() const {
  return sign_ ? sign_->earlier() : std::nullopt;
}

void Succession::call_next() const noexcept {
  using Kind = keep::Manager::Kind;
  if (manager_.kind() != Kind::kKeeper || manager_.gone()) return;
  if (auto asked = manager_.ask_for_next(); !asked) log::error("{}", asked.error().message);
}

const char* Succession::who() const noexcept {
  switch (manager_.kind()) {
    case keep::Manager::Kind::kKeeper:
      return "vballoon-keeper";
    case keep::Manager::Kind::kOther:
      return "service manager";
    case keep::Manager::Kind::kNobody:
      break;
  }
  return "nobody";
}

std::string Succession::trouble() const {
  if (!manager_.gone()) return {};
  return fmt::format(
      "vballoon-keeper (process {}) has ended: this daemon serves on, but its end disconnects its "
      "VMMs, and nobody starts the next one",
      manager_.keeper());
}

}  // namespace vballoon::service
