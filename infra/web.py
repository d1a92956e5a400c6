"""The page's stack: CloudFront in front of the page, the API and the images.

One origin has them all, as in the local run: the page at `/`, the API under `/api`, and, where
there is a domain, the images under `/images`. It imports from the home stack, which knows nothing
of it. docs/HOSTING.md says how it is put under a name.
"""

from __future__ import annotations

from aws_cdk import CfnOutput, Duration, Environment, RemovalPolicy, Stack
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_cloudfront_origins as origins
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_s3_deployment as s3_deployment
from constructs import Construct

from common.config import Config
from infra.edge_headers import image_headers, page_response_headers
from infra.logs import log_group
from infra.nag import accept, named
from infra.packaging import REPOSITORY
from infra.stack import ImagifyStack

CONSTRUCT_ID = "ImagifyWeb"
PAGE = REPOSITORY / "web"
API_FUNCTION = REPOSITORY / "infra" / "edge" / "api.js"
API_SECONDS = 35
"""API Gateway gives up after 30; whoever waits there gets its answer here."""
PAGE_CACHING = "public, max-age=0, must-revalidate, s-maxage=86400"
"""The files keep their names from one deployment to the next, so a browser asks each time, and is
mostly told 304; CloudFront keeps them for a day, or until the next deployment tells it not to."""
ERRORS = (400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504)
"""All that CloudFront would keep for ten seconds and, but for 404, 414 and 501, whatever the answer
says of caching; the next to ask may be somebody else:
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/custom-error-pages-expiration.html
"""
DEPLOY_MEMORY_MIB = 256

DEPLOYER = "The CDK's own function, which copies the page's files when the stack is deployed:"
DEPLOYER_WILDCARDS = {
    "Action::s3:GetObject*": "it reads its assets",
    "Action::s3:GetBucket*": "it reads its assets",
    "Action::s3:List*": "it compares what is there",
    "Action::s3:DeleteObject*": "it deletes files that are no more",
    "Action::s3:Abort*": "it gives up uploads",
    "Resource::*": "it has CloudFront forget the files, for which the CDK names no distribution",
}
DEPLOYER_RUNTIME_REASON = f"{DEPLOYER} its Python is the CDK's to choose."
WORLDWIDE_REASON = "People may buy from anywhere; who shall not is the operator's to say."
NO_FIREWALL_REASON = (
    "A firewall costs more than all else when idle; docs/HOSTING.md says when to add one."
)
OWN_NAME_REASON = (
    "By CloudFront's own name it takes the TLS versions of CloudFront's own certificate; with a"
    " domain it is TLS 1.2 at least."
)
PUBLIC_FILES_REASON = "The page's files are public, and CloudFront's log has each request for them."
LOG_OF_LOGS_REASON = "These are the logs."


class ImagifyWebStack(Stack):
    """The distribution, the bucket of the page's files, and the bucket of access logs."""

    def __init__(self, scope: Construct, *, config: Config, home: ImagifyStack) -> None:
        super().__init__(
            scope,
            CONSTRUCT_ID,
            stack_name=config.web_stack_name,
            description="Imagify: the page, and CloudFront in front of it",
            env=Environment(account=home.account, region=config.home_region),
        )
        self._config = config
        self._home = home
        self._files = self._file_bucket()
        self._distribution = self._make_distribution()
        self._deploy_files()
        name = config.domain or self._distribution.distribution_domain_name
        outputs = {
            "PageUrl": f"https://{name}/",
            "DistributionId": self._distribution.distribution_id,
            "DistributionDomain": self._distribution.distribution_domain_name,
        }
        for output, value in outputs.items():
            CfnOutput(self, output, value=value)

    def _named(self, name: str) -> str:
        """The names of all that CloudFront keeps are the whole account's, of every stage."""
        return f"{self._config.stack_name}-{name}"

    def _file_bucket(self) -> s3.Bucket:
        bucket = s3.Bucket(
            self,
            "Files",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            removal_policy=RemovalPolicy.DESTROY,
        )
        accept(bucket, "AwsSolutions-S1", PUBLIC_FILES_REASON)
        return bucket

    def _log_bucket(self) -> s3.Bucket:
        bucket = s3.Bucket(
            self,
            "AccessLogs",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            # CloudFront grants itself an ACL to write with.
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_PREFERRED,
            lifecycle_rules=[
                s3.LifecycleRule(
                    id="Forget", expiration=Duration.days(self._config.log_retention_days)
                )
            ],
            # What is in it at the end, `imagify destroy` deletes first.
            removal_policy=RemovalPolicy.RETAIN
            if self._config.removal == "keep"
            else RemovalPolicy.DESTROY,
        )
        accept(bucket, "AwsSolutions-S1", LOG_OF_LOGS_REASON)
        return bucket

    def _make_distribution(self) -> cloudfront.Distribution:
        config = self._config
        behaviors = {"/api/*": self._api()}
        if self._home.image_keys:
            behaviors["/images/*"] = self._images(self._home.image_keys.group)
        distribution = cloudfront.Distribution(
            self,
            "Distribution",
            comment=config.stack_name,
            default_behavior=self._page(),
            additional_behaviors=behaviors,
            default_root_object="index.html",
            error_responses=[
                cloudfront.ErrorResponse(http_status=status, ttl=Duration.seconds(0))
                for status in ERRORS
            ],
            domain_names=[config.domain] if config.domain else None,
            certificate=acm.Certificate.from_certificate_arn(
                self, "Certificate", config.certificate_arn
            )
            if config.certificate_arn
            else None,
            minimum_protocol_version=cloudfront.SecurityPolicyProtocol.TLS_V1_2_2021,
            http_version=cloudfront.HttpVersion.HTTP2_AND_3,
            enable_ipv6=True,
            price_class=cloudfront.PriceClass.PRICE_CLASS_200,
            log_bucket=self._log_bucket(),
        )
        accept(distribution, "AwsSolutions-CFR1", WORLDWIDE_REASON)
        accept(distribution, "AwsSolutions-CFR2", NO_FIREWALL_REASON)
        if config.domain is None:
            accept(distribution, "AwsSolutions-CFR4", OWN_NAME_REASON)
        return distribution

    def _access_control(self, name: str) -> cloudfront.S3OriginAccessControl:
        return cloudfront.S3OriginAccessControl(
            self, f"{name}Access", origin_access_control_name=self._named(name.lower())
        )

    def _page(self) -> cloudfront.BehaviorOptions:
        origin = origins.S3BucketOrigin.with_origin_access_control(
            self._files, origin_access_control=self._access_control("Page")
        )
        return cloudfront.BehaviorOptions(
            origin=origin,
            viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
            cache_policy=cloudfront.CachePolicy.CACHING_OPTIMIZED,
            response_headers_policy=page_response_headers(
                self, self._named("page"), config=self._config, home=self._home
            ),
            compress=True,
        )

    def _api(self) -> cloudfront.BehaviorOptions:
        api = self._home.api.http.api_id
        function = cloudfront.Function(
            self,
            "ApiPath",
            function_name=self._named("api"),
            comment="Takes /api away, and says who asks",
            code=cloudfront.FunctionCode.from_file(file_path=str(API_FUNCTION)),
            runtime=cloudfront.FunctionRuntime.JS_2_0,
        )
        return cloudfront.BehaviorOptions(
            origin=origins.HttpOrigin(
                f"{api}.execute-api.{self._config.home_region}.amazonaws.com",
                protocol_policy=cloudfront.OriginProtocolPolicy.HTTPS_ONLY,
                origin_ssl_protocols=[cloudfront.OriginSslPolicy.TLS_V1_2],
                read_timeout=Duration.seconds(API_SECONDS),
            ),
            viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.HTTPS_ONLY,
            allowed_methods=cloudfront.AllowedMethods.ALLOW_ALL,
            cache_policy=cloudfront.CachePolicy.CACHING_DISABLED,
            # API Gateway knows itself by its own Host alone.
            origin_request_policy=cloudfront.OriginRequestPolicy.ALL_VIEWER_EXCEPT_HOST_HEADER,
            function_associations=[
                cloudfront.FunctionAssociation(
                    function=function, event_type=cloudfront.FunctionEventType.VIEWER_REQUEST
                )
            ],
        )

    def _images(self, keys: cloudfront.IKeyGroup) -> cloudfront.BehaviorOptions:
        # By its name alone: its policy is the home stack's, which lets CloudFront in itself.
        bucket = s3.Bucket.from_bucket_attributes(
            self,
            "Images",
            bucket_name=self._home.storage.images.bucket_name,
            region=self._config.home_region,
        )
        origin = origins.S3BucketOrigin.with_origin_access_control(
            bucket, origin_access_control=self._access_control("Images")
        )
        return cloudfront.BehaviorOptions(
            origin=origin,
            viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.HTTPS_ONLY,
            trusted_key_groups=[keys],
            cache_policy=cloudfront.CachePolicy.CACHING_OPTIMIZED,
            response_headers_policy=image_headers(self, self._named("images"), config=self._config),
            compress=False,
        )

    def _deploy_files(self) -> None:
        logs = log_group(self, "DeploymentLogs", days=self._config.log_retention_days)
        role = iam.Role(
            self,
            "DeploymentRole",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            description="What the copying of Imagify's page may do",
        )
        logs.grant_write(role)
        self._accept_wildcards(role)
        s3_deployment.BucketDeployment(
            self,
            "Deployment",
            sources=[
                s3_deployment.Source.asset(str(PAGE)),
                s3_deployment.Source.json_data("config.json", self._configuration()),
            ],
            destination_bucket=self._files,
            cache_control=[s3_deployment.CacheControl.from_string(PAGE_CACHING)],
            distribution=self._distribution,
            distribution_paths=["/*"],
            # So that the bucket is empty when the stack is deleted.
            retain_on_delete=False,
            memory_limit=DEPLOY_MEMORY_MIB,
            role=role,
            log_group=logs,
        )
        for child in self.node.children:
            if isinstance(child, lambda_.Function):
                accept(child, "AwsSolutions-L1", DEPLOYER_RUNTIME_REASON)

    def _accept_wildcards(self, role: iam.Role) -> None:
        files = self._files.node.default_child
        assert isinstance(files, s3.CfnBucket)
        account = named(self.account, "<AWS::AccountId>")
        assets = f"cdk-{self.synthesizer.bootstrap_qualifier}-assets-{account}-{self.region}"
        wildcards = {
            **DEPLOYER_WILDCARDS,
            f"Resource::<{self.get_logical_id(files)}.Arn>/*": "it writes any of the files",
            f"Resource::arn:aws:s3:::{assets}/*": "it reads its assets",
        }
        for wildcard, reason in wildcards.items():
            accept(role, f"AwsSolutions-IAM5[{wildcard}]", f"{DEPLOYER} {reason}.")

    def _configuration(self) -> dict[str, object]:
        """The page's `config.json`, as `sandbox.web` has it for the local run."""
        return {
            "api": "/api",
            "feed": self._home.feed.stage.url,
            "cognito": {
                "endpoint": f"https://cognito-idp.{self._config.home_region}.amazonaws.com/",
                "client_id": self._home.accounts.client.user_pool_client_id,
            },
        }
