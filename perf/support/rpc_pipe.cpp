// SPDX-License-Identifier: BSD-3-Clause
#include "support/rpc_pipe.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "driver/deadline.hpp"
#include "support/figures.hpp"

namespace vballoon::perf {
namespace {

constexpr std::chrono::seconds kPatience{60};
constexpr unsigned kDozeUs = 500;

}  // namespace

RpcPipe::RpcPipe(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  if (!fd_.valid() ||
      ::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    give_up("no daemon answers at " + path);
  }
}

std::string RpcPipe::line(const std::string& method, rpc::Json params) {
  return rpc::format_request({1, false, method, std::move(params)});
}

void RpcPipe::ask(const std::string& requests, unsigned count, Wait wait) {
  if (::send(fd_.get(), requests.data(), requests.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(requests.size())) {
    give_up("the daemon takes no request");
  }
  const driver::Deadline deadline(kPatience);
  std::array<char, 65536> chunk;
  answers_.clear();
  for (std::ptrdiff_t lines = 0; lines < count;) {
    if (deadline.passed()) give_up("the daemon does not answer");
    if (wait == Wait::kDozes) ::usleep(kDozeUs);
    const int how = wait == Wait::kDozes ? MSG_DONTWAIT : 0;
    const ssize_t n = ::recv(fd_.get(), chunk.data(), chunk.size(), how);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (n <= 0) give_up("the daemon hung up");
    answers_.append(chunk.data(), static_cast<std::size_t>(n));
    lines += std::count(chunk.data(), chunk.data() + n, '\n');
  }
  if (answers_.find("\"error\":{") != std::string::npos) {
    give_up("refused: " + answers_.substr(0, 300));
  }
}

}  // namespace vballoon::perf
