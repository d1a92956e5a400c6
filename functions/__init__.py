"""The Lambda functions: an entry point each, and the use cases beside it."""

import gc

ALLOCATIONS = 300_000
"""Between two looks for garbage, of which loading modules leaves none. With Python's own 700 the
collector walks through all that was loaded so far, over and over: a sixth of a cold start."""

gc.set_threshold(ALLOCATIONS, *gc.get_threshold()[1:])
