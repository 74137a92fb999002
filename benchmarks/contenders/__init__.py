"""The contenders, a module for each: its name is the contender's, its class ``This`` the way."""
