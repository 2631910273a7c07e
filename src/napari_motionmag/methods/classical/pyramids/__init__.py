"""Image pyramids: complex steerable, Riesz and Laplacian."""
