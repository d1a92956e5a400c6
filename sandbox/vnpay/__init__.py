"""VNPAY's payment gateway, PAY 2.1.0, played by a small server on loopback.

It shows a pay page that checks a request as VNPAY does, ends a payment at the click of a button,
redirects and notifies with signed parameters, answers querydr and refund, and can be told to
misbehave. It is written against the protocol and knows nothing of Imagify's own code, so each can
prove the other. Nothing outlives the process.

    VNPAY_HASH_SECRET=… python -m sandbox.vnpay --port 4571 --tmn-code IMAGIFY1 --ipn-url http://…

Its sources are VNPAY's pages "PAY" and "querydr & refund", and the Techspec 2.1.0. Where they are
silent and integrators report what they saw, that is said.
"""
