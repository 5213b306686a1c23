// SPDX-License-Identifier: BSD-3-Clause
//
// rpc/error.cpp - from the codes of base to those of the wire.
#include "rpc/error.hpp"

namespace vballoon::rpc {
namespace {

int wire_code(Code code) {
  switch (code) {
    case Code::kInvalidArgument:
      return kInvalidParams;
    case Code::kNotFound:
      return kNotFound;
    case Code::kAlreadyExists:
      return kAlreadyExists;
    case Code::kUnavailable:
      return kUnavailable;
    case Code::kHost:
      return kHost;
  }
  return kInternalError;
}

}  // namespace

Error to_error(const Status& status) {
  return Error{wire_code(status.code), status.message};
}

Json to_json(const Error& error) {
  return {{"code", error.code}, {"message", error.message}};
}

}  // namespace vballoon::rpc
