"""What operators look at and do: for the admin, the command and the health pages."""
