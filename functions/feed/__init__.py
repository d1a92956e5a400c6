"""The feed's front: tickets, sockets that open and close, and what is asked on them."""
