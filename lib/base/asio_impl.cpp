// SPDX-License-Identifier: BSD-3-Clause
//
// base/asio_impl.cpp - asio's own code, compiled once instead of into every user.
#include <asio/impl/src.hpp>
