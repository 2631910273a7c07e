"""The protocols of the paper as code."""
