// SPDX-License-Identifier: BSD-3-Clause
//
// service/rpc/readmit.cpp - device.readmit: a VM that was set aside is served again.
#include "service/rpc/methods.hpp"
#include "service/rpc/params.hpp"

namespace vballoon::service {

Methods::Answer Methods::readmit(const rpc::Json& object) {
  Params params(object, "device.readmit");
  const std::string name = params.text("name");
  if (auto ok = params.finish(); !ok) return tl::unexpected(ok.error());
  const auto vm = fleet_.find(name);
  const auto done = vm ? (*vm)->readmit() : Result<void>(tl::unexpected(vm.error()));
  if (!done) return tl::unexpected<rpc::Error>(rpc::to_error(done.error()));
  say("{}: crashes of its doing are forgotten", name);
  return rpc::Json::object();
}

}  // namespace vballoon::service
