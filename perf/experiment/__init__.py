# SPDX-License-Identifier: BSD-3-Clause
"""The experiment of perf/auto-balloon: two guests on a host that is too small for both."""
