// SPDX-License-Identifier: BSD-3-Clause
#include "vhost/dirty_log.hpp"

#include <utility>

namespace vballoon::vhost {

Result<void> DirtyLog::replace(const Message& message) {
  forget();
  const auto fd = message.single_fd();
  if (!fd) return fail(Code::kInvalidArgument, "a dirty log without a file descriptor");
  auto mapped = LogMapping::map(*fd, message.number(0), message.number(8));
  if (!mapped) return tl::unexpected(mapped.error());
  if (auto watched = watch_.watch(mapped->bytes()); !watched) return watched;
  mapping_ = *std::move(mapped);
  return {};
}

void DirtyLog::forget() noexcept {
  watch_.clear();
  mapping_ = {};
}

}  // namespace vballoon::vhost
