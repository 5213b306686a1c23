// SPDX-License-Identifier: BSD-3-Clause
#include "figures.hpp"

#include <fmt/format.h>

#include <cstdio>

#include "base/printable.hpp"
#include "rpc/client.hpp"

namespace vballoon::exporter {
namespace {

constexpr std::chrono::seconds kFresh{1};
constexpr std::chrono::seconds kPatience{5};  // Prometheus waits for 10 s by default

constexpr std::string_view kUp =
    "# HELP vballoon_up Whether the daemon answers.\n# TYPE vballoon_up gauge\nvballoon_up ";

rpc::Outcome<std::string> asked(const std::string& rpc_socket, const std::atomic<bool>& stop) {
  auto client = rpc::Client::connect(rpc_socket);
  if (!client) return tl::unexpected(client.error());
  client->set_interrupt(&stop);
  const auto result = client->call("daemon.metrics", rpc::Json::object(), kPatience);
  if (!result) return tl::unexpected(result.error());
  return result->value("text", std::string());
}

}  // namespace

bool Figures::renew() {
  if (!text_.empty() && Clock::now() - answered_ < kFresh) return false;
  const auto answer = asked(rpc_socket_, stop_);
  // An answer that took long is as new as any.
  answered_ = Clock::now();
  text_ = fmt::format("{}{}{}\n", answer ? *answer : "", kUp, answer ? 1 : 0);
  say(answer ? fmt::format("vballoond answers at {}", rpc_socket_) : answer.error().message);
  return true;
}

void Figures::say(const std::string& what) {
  if (what == said_) return;
  said_ = what;
  fmt::print(stderr, "vballoon-exporter: {}\n", printable(what));
}

}  // namespace vballoon::exporter
