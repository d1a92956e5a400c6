"""The image models: what each can do, what it costs, and how it is spoken to.

`catalogue` lists them, `spec` says what is known of a model, and a module per wire format turns a
request into a body and a body into an image. Calling a model is an adapter's work.
"""
