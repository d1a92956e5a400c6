"""The tables' indexes by name: the stack makes them, the stores query them."""

from __future__ import annotations

EMAIL_INDEX = "EmailIndex"
"""The index of the Users table by address."""
USER_INDEX = "UserIndex"
"""The indexes by user: of the Jobs and Payments tables by time too, and of Connections."""
WAITING_INDEX = "WaitingIndex"
"""The sparse index of the Jobs table: the queued jobs of each model, in order."""
TIME_INDEX = "TimeIndex"
"""The index of the Ledger table by user and time; a local one, so that it is read consistently."""
DUE_INDEX = "DueIndex"
"""The sparse indexes of what the sweep is to see to, and when: of the Payments table what the
gateway is to be asked about, of the Jobs table what to look at."""
