"""The keys that CloudFront checks the links of images with, and its way to the images.

They are in the home stack, as its functions sign and must know CloudFront's name of the key.
`imagify image-key new` makes a pair and puts it into Parameter Store, where the template reads the
public key and the functions the private one.
"""

from __future__ import annotations

import json

from aws_cdk import Stack
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_iam as iam
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from common.config import Config
from infra.storage import IMAGES, Storage


class ImageKeys(Construct):
    """A key group: the pair that signs, and the one before it."""

    def __init__(
        self, scope: Construct, construct_id: str, *, config: Config, domain: str, storage: Storage
    ) -> None:
        super().__init__(scope, construct_id)
        self._config = config
        keys = [self._public_key(version) for version in config.image_key_versions]
        self.group = cloudfront.KeyGroup(
            self, "Group", items=keys, key_group_name=f"{config.stack_name}-images"
        )
        self.parameters = [config.image_key_parameter(each) for each in config.image_key_versions]
        """The private keys'. The functions read the first, and the second as long as a deployment
        has not brought them that far."""
        self.links = json.dumps(
            {
                "origin": f"https://{domain}",
                "key_pair_id": keys[0].public_key_id,
                "key_parameter": self.parameters[0],
            },
            separators=(",", ":"),
        )
        """What `common.settings.outlook.ImageLinks` has, as JSON."""
        self._let_cloudfront_read(storage)

    def _public_key(self, version: int) -> cloudfront.PublicKey:
        # A key cannot be changed, so each version is another resource; and CloudFront, which takes
        # no second request of the same reference in an account, is given one made from this id.
        return cloudfront.PublicKey(
            self,
            f"{self._config.stage.capitalize()}V{version}",
            public_key_name=f"{self._config.stack_name}-images-{version}",
            encoded_key=ssm.StringParameter.value_for_string_parameter(
                self, self._config.image_public_key_parameter(version)
            ),
        )

    def _let_cloudfront_read(self, storage: Storage) -> None:
        # The distribution is made after this stack, so any of this account's is meant.
        distributions = f"arn:aws:cloudfront::{Stack.of(self).account}:distribution/*"
        storage.images.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("cloudfront.amazonaws.com")],
                actions=["s3:GetObject"],
                resources=[storage.images.arn_for_objects(IMAGES)],
                conditions={"ArnLike": {"aws:SourceArn": distributions}},
            )
        )
