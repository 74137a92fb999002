"""Log-ins that failed: a line in the log for each, and rows for members of staff to read."""
