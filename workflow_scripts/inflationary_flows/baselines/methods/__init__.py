"""A module a method: its `Settings`, and how it is fitted, packed and unpacked; found by file name."""
