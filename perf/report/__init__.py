# SPDX-License-Identifier: BSD-3-Clause
"""From figures by key to what a person looks at: the table and the plots."""
