"""The Lambda functions: an entry point each, and the use cases beside it."""
