"""The web page on loopback, as CloudFront serves it on AWS.

One origin has the page's files, its configuration and, under /api, the HTTP API. The headers are
those that AWS gets, so what the page may not do there, it may not do here.

    python -m sandbox.web --port 4569 --api http://… --feed ws://… --cognito http://… …
"""
