"""Dimensions, participation ratios and variances of data sets."""
