"""The learned methods: networks, weights and the engine that runs them."""
