"""Bedrock's image models, played by a small server on loopback.

It speaks `POST /model/{modelId}/invoke` in the five wire formats that Imagify knows, draws instead
of generating, keeps the quota of each model in each region, tells which models it has, and can be
told to misbehave. It is written against the protocol and knows nothing of Imagify's own code, so
each can prove the other.

    python -m sandbox.bedrock --port 4570 --latency 3 --rate 2
    AWS_ENDPOINT_URL_BEDROCK_RUNTIME=http://127.0.0.1:4570 …
"""
