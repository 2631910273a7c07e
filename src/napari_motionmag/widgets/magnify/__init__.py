"""The dock that magnifies."""
