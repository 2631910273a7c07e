"""What the views compute with: frames in series, tracking, noise."""
