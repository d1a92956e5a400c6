"""The ports on AWS: one module per service, each mapping boto3's errors once."""
