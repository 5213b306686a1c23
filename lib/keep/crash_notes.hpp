// SPDX-License-Identifier: BSD-3-Clause
//
// keep/crash_notes.hpp - a process that crashes notes whose work the crashing thread had in hand.
// Thread: any. The notes are made by a signal handler, on the thread that crashes.
// Why:    a fault, a broken invariant (abort) and the service manager's watchdog are what a VM can
//         bring about. SIGKILL is not: it is an operator's or the host's, and no VM answers for it.
// Source: signal-safety(7); sigaction(2).
#pragma once

#include "keep/crash_book.hpp"

namespace vballoon::keep {

/// From now on SIGSEGV, SIGBUS, SIGILL, SIGFPE and SIGABRT are noted, and then do what they did
/// before. A stack that overflows is not noted: there is no room for the handler.
/// Once; later calls do nothing.
void note_crashes();

/// Whoever has this in hand (base/in_hand.hpp) when a thread crashes has it noted on this page.
/// @return false: so many answer already that there is no room. It is not noted then.
bool answer_for(const void* whose, CrashPage& page) noexcept;
/// Nothing is noted on this page any more.
void stop_answering(const CrashPage& page) noexcept;

}  // namespace vballoon::keep
