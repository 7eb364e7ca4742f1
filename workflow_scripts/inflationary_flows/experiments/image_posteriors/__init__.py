"""Posteriors of images given noisy ones: are they calibrated?"""
