// SPDX-License-Identifier: BSD-3-Clause
#include "keep/manager.hpp"

#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>
#include <string_view>

#include "keep/environment.hpp"
#include "keep/notice.hpp"

namespace vballoon::keep {
namespace {

/// The number in the name of the keeper's socket; 0 for another manager's.
pid_t keeper_of(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  if (path.find('/') == std::string_view::npos || !name.starts_with(kKeeperSocket)) return 0;
  const auto number = to_number(name.substr(kKeeperSocket.size()));
  return number ? static_cast<pid_t>(*number) : 0;
}

}  // namespace

Manager::Manager(Notifier& notifier) : notifier_(notifier) {
  if (!notifier.listened()) return;
  keeper_ = keeper_of(notifier.path());
  kind_ = keeper_ > 0 ? Kind::kKeeper : Kind::kOther;
  if (kind_ != Kind::kKeeper) return;
  end_.reset(static_cast<int>(::syscall(SYS_pidfd_open, keeper_, 0)));
  if (!end_.valid()) give_up();
}

void Manager::give_up() noexcept {
  gone_ = true;
  end_.reset();
  notifier_.forget();
}

Result<void> Manager::ask_for_next() const {
  const auto no = [](const char* why) { return fail(Code::kUnavailable, why); };
  if (gone_) {
    return no(
        "vballoon-keeper has ended, so nobody starts the next daemon: VMMs will notice when "
        "you stop this one and start the next");
  }
  if (kind_ == Kind::kNobody) {
    return no(
        "nobody starts the next daemon: VMMs will notice when you stop this one and start "
        "the next; under vballoon-keeper or systemd they would not");
  }
  if (kind_ == Kind::kOther) {
    return no(
        "a service manager runs this daemon: `systemctl restart vballoond` starts the next "
        "one, and VMMs do not notice");
  }
  const int error = notifier_.send_with(kRestartLine, {});
  if (error == 0) return {};
  return fail(Code::kHost, fmt::format("vballoon-keeper (process {}) cannot be asked: {}", keeper_,
                                       std::strerror(error)));
}

}  // namespace vballoon::keep
