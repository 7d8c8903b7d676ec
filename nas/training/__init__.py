"""Training one network, an epoch at a time."""
