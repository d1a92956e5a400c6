"""The page's stack: what CloudFront hands out, to whom, and how long it is kept."""

from __future__ import annotations

import json
from typing import Any

import pytest

from common.aws import clients
from common.http import VIEWER_ADDRESS
from common.page_headers import page_headers
from common.settings.feed import FeedSettings
from common.settings.outlook import OutlookSettings
from common.settings.push import PushSettings
from common.settings.status import StatusSettings
from common.settings.submit import SubmitSettings
from infra.edge_headers import s3_images
from tests.infra.conftest import ACCOUNT, CERTIFICATE, DOMAIN, page_of
from tests.infra.template import Json, Template

CACHED, NOT_CACHED = "658327ea-f89d-4fab-a63d-7e88639e58f6", "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
"""The managed policies CachingOptimized and CachingDisabled."""
ALL_BUT_HOST = "b689b0a8-53d0-40ab-baf2-68738e2966ac"
"""The managed policy AllViewerExceptHostHeader."""
SHOWING: dict[str, type[OutlookSettings]] = {
    "submit": SubmitSettings,
    "status": StatusSettings,
    "feed": FeedSettings,
    "push": PushSettings,
}
"""The functions that show jobs."""
BOTH = pytest.mark.parametrize("stack", ["web", "hosted_web"])


@pytest.fixture
def page(request: pytest.FixtureRequest, stack: str) -> Template:
    """Both, one after the other."""
    template: Template = request.getfixturevalue(stack)
    return template


def distribution(page: Template) -> Json:
    config: Json = page.one("AWS::CloudFront::Distribution")["DistributionConfig"]
    return config


def behavior(page: Template, path: str) -> Json:
    (found,) = (
        each for each in distribution(page)["CacheBehaviors"] if each["PathPattern"] == path
    )
    assert isinstance(found, dict)
    return found


def origin(page: Template, of: Json) -> Json:
    """Where a behavior's requests go."""
    (found,) = (
        each for each in distribution(page)["Origins"] if each["Id"] == of["TargetOriginId"]
    )
    assert isinstance(found, dict)
    return found


def headers(page: Template, of: Json) -> dict[str, str]:
    """All that a behavior adds to its answers, whatever CloudFront calls it."""
    name = page.text(of["ResponseHeadersPolicyId"])
    config = page.of_type("AWS::CloudFront::ResponseHeadersPolicy")[name]
    config = config["ResponseHeadersPolicyConfig"]
    security = config["SecurityHeadersConfig"]
    custom = config["CustomHeadersConfig"]["Items"]
    assert all(each["Override"] for each in [*custom, *security.values()])
    age = security["StrictTransportSecurity"]["AccessControlMaxAgeSec"]
    assert "ContentTypeOptions" in security
    return {
        **{each["Header"]: each["Value"] for each in custom},
        "Content-Security-Policy": page.text(
            security["ContentSecurityPolicy"]["ContentSecurityPolicy"]
        ),
        "Referrer-Policy": security["ReferrerPolicy"]["ReferrerPolicy"],
        "X-Frame-Options": security["FrameOptions"]["FrameOption"],
        "X-Content-Type-Options": "nosniff",
        "Strict-Transport-Security": f"max-age={age}",
    }


@BOTH
def test_the_page_is_handed_out_over_tls_and_every_new_protocol(page: Template) -> None:
    config = distribution(page)
    assert config["DefaultRootObject"] == "index.html"
    assert config["DefaultCacheBehavior"]["ViewerProtocolPolicy"] == "redirect-to-https"
    assert config["DefaultCacheBehavior"]["Compress"] is True
    assert "AllowedMethods" not in config["DefaultCacheBehavior"], "reading is the default"
    assert (config["HttpVersion"], config["IPV6Enabled"]) == ("http2and3", True)
    assert config["PriceClass"] == "PriceClass_200"


def test_under_a_domain_it_goes_by_that_name_and_tls_1_2(hosted_web: Template) -> None:
    config = distribution(hosted_web)
    assert config["Aliases"] == [DOMAIN]
    certificate = config["ViewerCertificate"]
    assert certificate["AcmCertificateArn"] == CERTIFICATE
    assert certificate["MinimumProtocolVersion"] == "TLSv1.2_2021"
    assert certificate["SslSupportMethod"] == "sni-only"


def test_without_a_domain_it_goes_by_cloudfronts(web: Template) -> None:
    assert "Aliases" not in distribution(web)
    assert "ViewerCertificate" not in distribution(web)


@BOTH
def test_no_bucket_is_open_to_the_public_or_to_plain_http(page: Template) -> None:
    buckets = page.of_type("AWS::S3::Bucket")
    assert set(buckets) == {"Files", "AccessLogs"}
    for bucket in buckets.values():
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
        assert len(bucket["PublicAccessBlockConfiguration"]) == 4
        assert "BucketEncryption" in bucket
    policies = page.of_type("AWS::S3::BucketPolicy").values()
    assert len(policies) == 2
    for policy in policies:
        refused, *_ = policy["PolicyDocument"]["Statement"]
        assert refused["Effect"] == "Deny"
        assert refused["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


@BOTH
def test_only_this_distribution_reads_the_pages_files(page: Template) -> None:
    policy = page.of_type("AWS::S3::BucketPolicy")["Files/Policy"]
    (allowed,) = (
        each for each in policy["PolicyDocument"]["Statement"] if each["Effect"] == "Allow"
    )
    assert allowed["Principal"] == {"Service": "cloudfront.amazonaws.com"}
    assert allowed["Action"] == "s3:GetObject"
    (who,) = allowed["Condition"]["StringEquals"].values()
    assert page.text(who).endswith(":distribution/Distribution")
    files = origin(page, distribution(page)["DefaultCacheBehavior"])
    assert "Files" in page.text(files["DomainName"])
    controls = page.of_type("AWS::CloudFront::OriginAccessControl")
    control = controls[page.text(files["OriginAccessControlId"]).removesuffix(".Id")]
    assert control["OriginAccessControlConfig"]["SigningBehavior"] == "always"


@BOTH
def test_browsers_ask_for_every_file_each_time_and_cloudfront_forgets_at_a_deployment(
    page: Template,
) -> None:
    deployment = page.one("Custom::CDKBucketDeployment")
    kept = deployment["SystemMetadata"]["cache-control"].split(", ")
    assert {"max-age=0", "must-revalidate", "s-maxage=86400"} <= set(kept)
    assert deployment["DistributionPaths"] == ["/*"]
    assert page.text(deployment["DistributionId"]) == "Distribution"
    assert deployment["Prune"] is True
    assert distribution(page)["DefaultCacheBehavior"]["CachePolicyId"] == CACHED


@BOTH
def test_the_files_are_the_page_and_its_configuration(page: Template) -> None:
    deployment = page.one("Custom::CDKBucketDeployment")
    files, made = (
        page.assembly / f"asset.{key.removesuffix('.zip')}"
        for key in deployment["SourceObjectKeys"]
    )
    assert (files / "index.html").is_file()
    assert (files / "app" / "main.js").is_file()
    text = (made / "config.json").read_text()
    for marker, value in deployment["SourceMarkers"][1].items():
        text = text.replace(marker, page.text(value)).replace('""', '"')
    told = json.loads(text)
    assert told["api"] == "/api"
    assert told["feed"].startswith("wss://")
    assert ".execute-api.ap-southeast-1." in told["feed"]
    assert told["feed"].endswith("/live")
    assert told["cognito"]["endpoint"] == "https://cognito-idp.ap-southeast-1.amazonaws.com/"
    assert "WebClient" in told["cognito"]["client_id"]


@BOTH
def test_the_api_is_under_the_pages_name_and_never_cached(page: Template) -> None:
    api = behavior(page, "/api/*")
    assert api["CachePolicyId"] == NOT_CACHED
    assert api["OriginRequestPolicyId"] == ALL_BUT_HOST
    assert api["ViewerProtocolPolicy"] == "https-only"
    assert set(api["AllowedMethods"]) >= {"GET", "POST", "DELETE", "OPTIONS"}
    assert "ResponseHeadersPolicyId" not in api, "the API's own headers are left alone"
    where = origin(page, api)
    assert "ApiHttp" in page.text(where["DomainName"])
    assert page.text(where["DomainName"]).endswith(".execute-api.ap-southeast-1.amazonaws.com")
    assert where["CustomOriginConfig"]["OriginProtocolPolicy"] == "https-only"
    api_gateway_seconds = 30
    assert where["CustomOriginConfig"]["OriginReadTimeout"] > api_gateway_seconds


@BOTH
def test_no_error_is_kept_for_the_next_to_ask(page: Template) -> None:
    errors = distribution(page)["CustomErrorResponses"]
    assert {error["ErrorCode"] for error in errors} >= {400, 403, 404, 405, 500, 502, 503, 504}
    assert {error["ErrorCachingMinTTL"] for error in errors} == {0}
    assert not any("ResponsePagePath" in error for error in errors), "the API's answers stay"


@BOTH
def test_the_api_is_told_who_asks_by_the_name_that_it_reads(page: Template) -> None:
    function = page.one("AWS::CloudFront::Function")
    assert f'"{VIEWER_ADDRESS}"' in function["FunctionCode"]
    assert function["FunctionConfig"]["Runtime"] == "cloudfront-js-2.0"
    (used,) = behavior(page, "/api/*")["FunctionAssociations"]
    assert used["EventType"] == "viewer-request"
    assert page.text(used["FunctionARN"]) == "ApiPath.FunctionARN"


@pytest.mark.parametrize(
    ("stack", "pictures"),
    [("web", "https://s3.ap-southeast-1.amazonaws.com/"), ("hosted_web", f"https://{DOMAIN}")],
)
def test_the_page_has_the_headers_that_it_has_everywhere(page: Template, pictures: str) -> None:
    given = headers(page, distribution(page)["DefaultCacheBehavior"])
    policy = dict(part.split(" ", 1) for part in given["Content-Security-Policy"].split("; "))
    _self, feed, cognito = policy["connect-src"].split(" ")
    assert feed.startswith("wss://")
    assert feed.endswith(".execute-api.ap-southeast-1.amazonaws.com")
    assert cognito == "https://cognito-idp.ap-southeast-1.amazonaws.com"
    _self, images = policy["img-src"].split(" ")
    assert images.startswith(pictures)
    assert given.pop("Strict-Transport-Security") == "max-age=31536000"
    assert given == page_headers(connect=[feed, cognito], images=[images])


@pytest.mark.parametrize("region", ["ap-southeast-1", "us-east-1"])
def test_the_page_shows_what_s3_hands_out(region: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a domain the page's policy names the bucket as S3's links do."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    client = clients.s3.__wrapped__(region)
    asked = {"Bucket": "pictures", "Key": "images/a.png"}
    url = client.generate_presigned_url("get_object", Params=asked)
    assert url.startswith(s3_images(region, "pictures"))
    client.close()


def test_images_are_handed_out_for_signed_links_alone(hosted_web: Template) -> None:
    images = behavior(hosted_web, "/images/*")
    (keys,) = images["TrustedKeyGroups"]
    assert "ImageKeysGroup" in hosted_web.text(keys)
    assert images["CachePolicyId"] == CACHED, "kept by the path, whoever has the link"
    assert "OriginRequestPolicyId" not in images
    assert images["ViewerProtocolPolicy"] == "https-only"
    assert "StorageImages" in hosted_web.text(origin(hosted_web, images)["DomainName"])
    assert origin(hosted_web, images)["OriginAccessControlId"]


def test_an_image_is_an_image_wherever_a_link_to_it_leads(hosted_web: Template) -> None:
    given = headers(hosted_web, behavior(hosted_web, "/images/*"))
    assert given["Content-Security-Policy"] == "default-src 'none'"
    assert given["Content-Disposition"] == "attachment"
    assert given["Cross-Origin-Resource-Policy"] == "same-origin"
    assert given["Cache-Control"] == "private, max-age=31536000, immutable"


def test_without_a_domain_cloudfront_hands_out_no_image(aws: Template, web: Template) -> None:
    assert [each["PathPattern"] for each in distribution(web)["CacheBehaviors"]] == ["/api/*"]
    assert aws.of_type("AWS::CloudFront::KeyGroup") == {}
    assert "cloudfront" not in json.dumps(aws.one("AWS::S3::BucketPolicy"))
    for name, settings in SHOWING.items():
        assert settings.from_env(aws.environment(name)).image_links is None


def test_under_a_domain_cloudfront_reads_images_and_nothing_else(hosted: Template) -> None:
    policy = hosted.one("AWS::S3::BucketPolicy")["PolicyDocument"]["Statement"]
    (allowed,) = (each for each in policy if each["Effect"] == "Allow")
    assert allowed["Principal"] == {"Service": "cloudfront.amazonaws.com"}
    assert allowed["Action"] == "s3:GetObject"
    assert hosted.text(allowed["Resource"]) == "Storage/Images.Arn/images/*"
    (who,) = allowed["Condition"]["ArnLike"].values()
    assert hosted.text(who) == f"arn:aws:cloudfront::{ACCOUNT}:distribution/*"


def test_vnpay_sends_people_back_to_the_page(hosted: Template) -> None:
    assert hosted.environment("payments")["PAGE_URL"] == f"https://{DOMAIN}/"
    cors = hosted.of_type("AWS::ApiGatewayV2::Api")["Api/Http"]["CorsConfiguration"]
    assert cors["AllowOrigins"] == [f"https://{DOMAIN}"]


@BOTH
def test_requests_are_logged_and_the_log_forgets(page: Template) -> None:
    logging = distribution(page)["Logging"]
    assert "AccessLogs" in page.text(logging["Bucket"])
    bucket = page.of_type("AWS::S3::Bucket")["AccessLogs"]
    (rule,) = bucket["LifecycleConfiguration"]["Rules"]
    days = page.one("AWS::Logs::LogGroup")["RetentionInDays"]
    assert (rule["Status"], rule["ExpirationInDays"]) == ("Enabled", days)
    ownership: list[dict[str, Any]] = bucket["OwnershipControls"]["Rules"]
    assert ownership == [{"ObjectOwnership": "BucketOwnerPreferred"}], "CloudFront writes by an ACL"


@pytest.mark.parametrize(("home", "policy"), [("aws", "Retain"), ("two_routes", "Delete")])
def test_the_access_logs_go_or_stay_with_all_else(
    request: pytest.FixtureRequest, home: str, policy: str
) -> None:
    page = page_of(request.getfixturevalue(home))
    (logs,) = (
        resource
        for name, resource in page.content["Resources"].items()
        if resource["Type"] == "AWS::S3::Bucket" and name.startswith("AccessLogs")
    )
    assert (logs["DeletionPolicy"], logs["UpdateReplacePolicy"]) == (policy, policy)


@BOTH
def test_it_says_where_the_page_is_and_what_a_name_must_point_to(page: Template) -> None:
    outputs = {name: page.text(each["Value"]) for name, each in page.content["Outputs"].items()}
    name = DOMAIN if "Aliases" in distribution(page) else "Distribution.DomainName"
    assert outputs == {
        "PageUrl": f"https://{name}/",
        "DistributionId": "Distribution",
        "DistributionDomain": "Distribution.DomainName",
    }


def test_two_stages_of_one_account_do_not_share_a_name(
    hosted: Template, hosted_web: Template
) -> None:
    """CloudFront's functions, policies, keys and access controls are named in the whole account."""
    for template in (hosted, hosted_web):
        for resource in template.content["Resources"].values():
            config = resource["Properties"]
            for part in ("OriginAccessControlConfig", "ResponseHeadersPolicyConfig"):
                config = config.get(part, config)
            for part in ("PublicKeyConfig", "KeyGroupConfig"):
                config = config.get(part, config)
            if resource["Type"].startswith("AWS::CloudFront") and "Name" in config:
                assert config["Name"].startswith("Imagify-prod-")


def test_the_copying_may_write_the_pages_files_alone(web: Template) -> None:
    role = web.one("AWS::Lambda::Function")["Role"]["Fn::GetAtt"][0]
    writes = {
        resource
        for actions, resources in web.statements_of(role)
        for resource in resources
        if any("Put" in action or "Delete" in action for action in actions)
    }
    logs = "DeploymentLogs.Arn"
    assert writes == {"Files.Arn", "Files.Arn/*", logs}
