"""What magnifies motion: classical methods, networks, and stabilisation around any of them."""
