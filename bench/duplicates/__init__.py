"""How well duplicates are found: on a hold-out that no threshold has seen."""
