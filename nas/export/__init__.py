"""Handing a trained network over as files that do not need nas."""
