"""What draws the views."""
