"""Devices, their locks, the memory budget of caches and clusters; knows no movie."""
