// SPDX-License-Identifier: BSD-3-Clause
//
// tests/unit/support/eal.hpp - EAL for the tests that need real rings: no huge pages, no cores, no
// root. Threads are those of the operating system.
#pragma once

namespace vballoon::test {

/// Starts EAL the first time; it lives as long as the process. Ends the process where it cannot.
void need_eal();

}  // namespace vballoon::test
