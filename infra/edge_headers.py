"""What CloudFront adds to the page's answers and the images'; the API has headers of its own."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_cloudfront as cloudfront
from constructs import Construct

from common.config import Config
from common.page_headers import page_headers
from infra.stack import ImagifyStack

HSTS_DAYS = 365
IMAGE_CACHING = "private, max-age=31536000, immutable"
"""An image never changes, and a link that has expired is no way to another copy of it."""


def page_response_headers(
    scope: Construct, name: str, *, config: Config, home: ImagifyStack
) -> cloudfront.ResponseHeadersPolicy:
    """The page's headers, as everywhere, and HSTS."""
    region = config.home_region
    headers = page_headers(
        connect=[
            f"wss://{home.feed.api.api_id}.execute-api.{region}.amazonaws.com",
            f"https://cognito-idp.{region}.amazonaws.com",
        ],
        images=[
            f"https://{config.domain}"
            if config.domain
            else s3_images(region, home.storage.images.bucket_name)
        ],
    )
    return _policy(scope, "PageHeaders", name, headers)


def s3_images(region: str, bucket: str) -> str:
    """What the links begin with that S3 checks; see `common.aws.clients.s3`."""
    return f"https://s3.{region}.amazonaws.com/{bucket}/"


def image_headers(
    scope: Construct, name: str, *, config: Config
) -> cloudfront.ResponseHeadersPolicy:
    """What keeps an image an image, kept by whom it was signed for, and saved by a link to it.

    Other pages may show it only where other pages may call the API.
    """
    alone = config.allowed_origins == (f"https://{config.domain}",)
    headers = {
        "Cache-Control": IMAGE_CACHING,
        "Content-Disposition": "attachment",
        "Content-Security-Policy": "default-src 'none'",
        "Cross-Origin-Resource-Policy": "same-origin" if alone else "cross-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
    return _policy(scope, "ImageHeaders", name, headers)


def _policy(
    scope: Construct, construct_id: str, name: str, headers: dict[str, str]
) -> cloudfront.ResponseHeadersPolicy:
    """CloudFront has a field for each header of security, and takes only the others by name."""
    others = dict(headers)
    security = cloudfront.ResponseSecurityHeadersBehavior(
        content_security_policy=cloudfront.ResponseHeadersContentSecurityPolicy(
            content_security_policy=others.pop("Content-Security-Policy"), override=True
        ),
        content_type_options=cloudfront.ResponseHeadersContentTypeOptions(override=True),
        frame_options=cloudfront.ResponseHeadersFrameOptions(
            frame_option=cloudfront.HeadersFrameOption(others.pop("X-Frame-Options")),
            override=True,
        ),
        referrer_policy=cloudfront.ResponseHeadersReferrerPolicy(
            referrer_policy=_referrer(others.pop("Referrer-Policy")), override=True
        ),
        strict_transport_security=cloudfront.ResponseHeadersStrictTransportSecurity(
            access_control_max_age=Duration.days(HSTS_DAYS), override=True
        ),
    )
    del others["X-Content-Type-Options"]
    return cloudfront.ResponseHeadersPolicy(
        scope,
        construct_id,
        response_headers_policy_name=name,
        security_headers_behavior=security,
        custom_headers_behavior=cloudfront.ResponseCustomHeadersBehavior(
            custom_headers=[
                cloudfront.ResponseCustomHeader(header=header, value=value, override=True)
                for header, value in others.items()
            ]
        ),
    )


def _referrer(policy: str) -> cloudfront.HeadersReferrerPolicy:
    return cloudfront.HeadersReferrerPolicy[policy.upper().replace("-", "_")]
