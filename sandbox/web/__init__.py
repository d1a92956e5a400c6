"""The web page on loopback, where nothing else serves it.

One origin has the page's files, its configuration and, under /api, the HTTP API. The headers are
strict, so that nothing in the page comes to need what it should not.

    python -m sandbox.web --port 4569 --api http://… --feed ws://… --cognito http://… …
"""
