"""Key core technologies: from the proposal over open bids to the breakthrough."""
