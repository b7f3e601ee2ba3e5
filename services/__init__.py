"""The registries and the services that follow their events."""
