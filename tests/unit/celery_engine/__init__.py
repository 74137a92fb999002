"""Tests of what starts the tests' workers."""
