"""The local run: the stack that AWS gets, on an emulator, with image models that are simulated."""
