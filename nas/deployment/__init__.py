"""The device that a network is searched for: what it takes there, and how long it takes, before it is trained."""
