"""Movies to show, reports, and many movies at once."""
