"""Moving shows in from other hosts: what would come, and bringing it."""
