"""What the argument ``filter`` may name: one file for each, named like the filter."""
