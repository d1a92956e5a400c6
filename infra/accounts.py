"""Who may sign in: a Cognito user pool by e-mail, and the one public client of it."""

from __future__ import annotations

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.function import live
from infra.nag import accept

NO_SYMBOLS_REASON = (
    "NIST SP 800-63B asks for length, not for kinds of characters: 12 at least, mixed case, digits."
)
NO_MFA_REASON = (
    "Optional by design: people buy images for cents; a required second factor would cost more"
    " sign-ups than it saves credits."
)
NO_THREAT_PROTECTION_REASON = (
    "Cognito's threat protection is in the Plus plan, priced by active user; this product is to"
    " cost next to nothing when idle."
)


class Accounts(Construct):
    """The user pool, whose tokens carry our user id, and its client."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        pre_token_generation: lambda_.Function,
        keep: bool,
    ) -> None:
        super().__init__(scope, construct_id)
        self.pool = cognito.UserPool(
            self,
            "UserPool",
            sign_in_aliases=cognito.SignInAliases(email=True),
            # Two spellings of one address are one person.
            sign_in_case_sensitive=False,
            self_sign_up_enabled=True,
            auto_verify=cognito.AutoVerifiedAttrs(email=True),
            # Changing the address counts only once the new one is verified.
            keep_original=cognito.KeepOriginalAttrs(email=True),
            account_recovery=cognito.AccountRecovery.EMAIL_ONLY,
            mfa=cognito.Mfa.OPTIONAL,
            mfa_second_factor=cognito.MfaSecondFactor(sms=False, otp=True),
            password_policy=cognito.PasswordPolicy(
                min_length=12,
                require_lowercase=True,
                require_uppercase=True,
                require_digits=True,
                require_symbols=False,
            ),
            feature_plan=cognito.FeaturePlan.ESSENTIALS,
            lambda_triggers=cognito.UserPoolTriggers(
                pre_token_generation=live(pre_token_generation)
            ),
            deletion_protection=keep,
            removal_policy=RemovalPolicy.RETAIN if keep else RemovalPolicy.DESTROY,
        )
        accept(self.pool, "AwsSolutions-COG1", NO_SYMBOLS_REASON)
        accept(self.pool, "AwsSolutions-COG2", NO_MFA_REASON)
        accept(self.pool, "AwsSolutions-COG8", NO_THREAT_PROTECTION_REASON)
        self.client = self.pool.add_client(
            "WebClient",
            generate_secret=False,
            auth_flows=cognito.AuthFlow(user_password=True, user_srp=True),
            disable_o_auth=True,
            prevent_user_existence_errors=True,
            enable_token_revocation=True,
            id_token_validity=Duration.hours(1),
            access_token_validity=Duration.hours(1),
            refresh_token_validity=Duration.days(30),
        )
