"""Reading and writing movies."""
