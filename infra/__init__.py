"""The stack in AWS, as CDK code: `app` starts it, `stack` composes it, a file per concern."""
