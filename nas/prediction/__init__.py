"""Using what was exported: pictures in, classes with probabilities out."""
