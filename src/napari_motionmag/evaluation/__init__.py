"""The protocols of the paper as code, and later ones."""
