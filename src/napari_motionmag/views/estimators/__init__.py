"""Estimators behind the views: series of frames, tracking, noise, fits."""
