"""Sign-ins and users."""
