"""The classical methods: phase, Riesz, linear, Lagrangian, and alignment."""
