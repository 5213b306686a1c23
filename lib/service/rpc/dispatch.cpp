// SPDX-License-Identifier: BSD-3-Clause
//
// service/rpc/dispatch.cpp - which method a name is, and whether it changes something.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/nearest.hpp"
#include "service/rpc/methods.hpp"

namespace vballoon::service {

struct Methods::Method {
  std::string_view name;
  bool changes;
  Answer (Methods::*answer)(const rpc::Json& params);
  /// Where that is null: it may answer later.
  void (Methods::*answer_later)(const rpc::Json& params, Asker asker, Responder done) = nullptr;
};

constexpr Methods::Method Methods::kMethods[] = {
    {"version", false, &Methods::version},
    {"daemon.restarts", false, &Methods::restarts},
    {"daemon.upgrade", true, &Methods::upgrade},
    {"daemon.metrics", false, &Methods::metrics},
    {"device.list", false, &Methods::list},
    {"device.show", false, &Methods::show},
    {"device.set", true, &Methods::set},
    {"device.stats", false, nullptr, &Methods::stats},
    {"device.add", true, &Methods::add},
    {"device.configure", true, &Methods::configure},
    {"device.remove", true, &Methods::remove},
    {"device.inhibit", true, &Methods::inhibit},
    {"device.prefault", true, &Methods::prefault},
    {"device.reporting", true, &Methods::reporting},
    {"device.hint", true, &Methods::hint},
    {"device.move", true, &Methods::move},
    {"device.readmit", true, &Methods::readmit},
    {"events.wait", false, nullptr, &Methods::wait_for_events},
    {"lcore.list", false, &Methods::lcores},
    {"policy.show", false, &Methods::policy_show},
    {"policy.explain", false, &Methods::policy_explain},
    {"policy.auto", true, &Methods::policy_auto},
};

const Methods::Method* Methods::find(std::string_view name) {
  const auto* const at = std::ranges::find(kMethods, name, &Method::name);
  return at == std::end(kMethods) ? nullptr : at;
}

bool Methods::changes(std::string_view method) {
  const Method* const found = find(method);
  return found != nullptr && found->changes;
}

void Methods::call(const rpc::Request& request, Asker asker, Responder done) {
  const Method* const method = find(request.method);
  if (method == nullptr) {
    std::vector<std::string_view> names;
    for (const Method& known : kMethods) names.push_back(known.name);
    return done(rpc::refuse(
        rpc::kMethodNotFound,
        fmt::format("unknown method '{}'{}", request.method, suggestion(request.method, names))));
  }
  if (method->answer == nullptr) {
    return (this->*method->answer_later)(request.params, asker, std::move(done));
  }
  done((this->*method->answer)(request.params));
}

}  // namespace vballoon::service
