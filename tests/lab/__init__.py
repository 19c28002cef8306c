"""Tests that deploy on the practice NAS."""
