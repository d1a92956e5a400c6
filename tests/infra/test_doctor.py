"""What the doctor takes for granted of the stack is what the stack is."""

from __future__ import annotations

from common.config import CDK_JSON, parse, read_settings
from ops.checkup.bucket import tls
from ops.checkup.deployment import Resource, Stack
from ops.checkup.finding import Verdict
from ops.checkup.permissions import INDEXES
from ops.deployment.prerequisites import BOOTSTRAP_PARAMETER, BOOTSTRAP_VERSION_MIN
from sandbox.state import Outputs
from tests.infra.template import FUNCTIONS, Template

BUCKET = "imagify-images"
NO_OUTPUTS = Outputs.model_validate(dict.fromkeys(Outputs.model_fields, ""))


def granted(aws: Template, function: str) -> set[tuple[str, str]]:
    """The indexes that the function's role may query, by table."""
    found = set()
    for resource, actions in aws.permissions(function).items():
        table, _, index = resource.partition("/index/")
        if index and "dynamodb:Query" in actions:
            found.add((table.removeprefix("Storage/").removesuffix(".Arn"), index))
    return found


def test_the_doctor_knows_the_indexes_that_each_function_queries(aws: Template) -> None:
    assert {name: set(queried) for name, queried in INDEXES.items()} == {
        name: granted(aws, name) for name in FUNCTIONS
    }


def test_the_doctor_knows_the_tables_by_their_names(aws: Template) -> None:
    resources = tuple(
        Resource(logical_id=logical_id, kind=each["Type"], physical_id=logical_id)
        for logical_id, each in aws.content["Resources"].items()
    )
    stack = Stack(status="CREATE_COMPLETE", outputs=NO_OUTPUTS, resources=resources)
    tables = {path.removeprefix("Storage/") for path in aws.of_type("AWS::DynamoDB::Table")}
    assert set(stack.tables) == tables
    assert {table for queried in INDEXES.values() for table, _index in queried} <= tables


def test_the_doctor_demands_the_bootstrap_that_the_template_demands(aws: Template) -> None:
    parameter = aws.content["Parameters"]["BootstrapVersion"]
    assert parameter["Default"] == BOOTSTRAP_PARAMETER
    (rule,) = aws.content["Rules"]["CheckBootstrapVersion"]["Assertions"]
    ((refused, _value),) = (one["Fn::Contains"] for one in rule["Assert"]["Fn::Not"])
    assert max(map(int, refused)) == BOOTSTRAP_VERSION_MIN - 1


def test_the_doctor_counts_the_concurrency_that_the_template_reserves(aws: Template) -> None:
    config = parse(read_settings(CDK_JSON), "prod")
    functions = aws.of_type("AWS::Lambda::Function").values()
    reserved = sum(each.get("ReservedConcurrentExecutions", 0) for each in functions)
    assert reserved == config.workers + 2 * config.looks_at_once


def test_the_doctor_takes_the_templates_bucket_policy_for_tls_only(aws: Template) -> None:
    ((statement,),) = (
        each["PolicyDocument"]["Statement"]
        for each in aws.of_type("AWS::S3::BucketPolicy").values()
    )
    arns = [
        aws.text(each).replace("Storage/Images.Arn", f"arn:aws:s3:::{BUCKET}")
        for each in statement["Resource"]
    ]
    told = tls(BUCKET, {"Statement": [{**statement, "Resource": arns}]})
    assert told.verdict is Verdict.OK


def test_what_is_said_to_be_taken_back_by_a_deploy_is_set_in_the_template(aws: Template) -> None:
    """CloudFormation compares what a template sets, and no other property."""
    bucket = aws.of_type("AWS::S3::Bucket")["Storage/Images"]
    queue = aws.of_type("AWS::SQS::Queue")["Queue/Jobs"]
    (of_jobs,) = aws.sources("worker")
    assert aws.one("AWS::Scheduler::Schedule")["State"] == "ENABLED"
    assert {"BucketEncryption", "OwnershipControls"} <= set(bucket)
    assert {"RedrivePolicy", "VisibilityTimeout"} <= set(queue)
    assert {"FunctionResponseTypes", "ScalingConfig"} <= set(of_jobs)
