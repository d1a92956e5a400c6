"""What every part of Imagify stands on: the domain, its ports and their adapters."""
