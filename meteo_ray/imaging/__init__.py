"""Bytes in, pixels out: decode, fit, augment, fonts. Knows no Ray and no model; imports nothing until asked."""
