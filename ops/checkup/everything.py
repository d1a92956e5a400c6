"""All checks, in the order in which one would mend what they find."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from ops.checkup import account, alarms, bucket, models, money, queues, settings, sweep, tables
from ops.checkup.asking import asked
from ops.checkup.canary import canary
from ops.checkup.deployment import Deployment, Stack
from ops.checkup.find import read_stack
from ops.checkup.finding import DEPLOY, Finding, Verdict, fail, skip
from ops.checkup.mending import for_here
from ops.checkup.permissions import (
    INDEXES,
    Function,
    index_check,
    look_at_indexes,
    look_at_models,
    models_check,
    read_functions,
)
from sandbox.state import Outputs

FUNCTIONS = "functions"
CONSISTS = "what the stack consists of"


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """Have an image made on each route; `seconds` is a clock for how long that takes."""

    seconds: Callable[[], float]


def all_checks(
    here: Deployment, *, now: Callable[[], datetime], with_canary: Canary | None = None
) -> Iterator[Finding]:
    """Each finding as it is made. Without credentials that work there is nothing to ask."""
    for each in _all_checks(here, now, with_canary):
        yield for_here(here, each)


def _all_checks(
    here: Deployment, now: Callable[[], datetime], with_canary: Canary | None
) -> Iterator[Finding]:
    yield settings.configuration(here.config, today=now().date())
    yield settings.page(here.config, local=here.local)
    own = asked(
        account.CREDENTIALS,
        account.look_at_credentials,
        here.clients.sts,
        region=here.config.home_region,
        now=now,
    )
    yield from own
    if any(each.check == account.CREDENTIALS and each.verdict is Verdict.FAIL for each in own):
        yield skip("all else", "It takes credentials that work.")
        return
    yield from _before_a_deploy(here, now)
    stacks: list[Stack | None] = []
    yield from asked(settings.STACK, _stack, here, stacks)
    if stacks:
        yield from asked(account.CONCURRENCY, _concurrency, here, stacks[0])
        if stacks[0] is not None and stacks[0].outputs is not None:
            yield from _after_a_deploy(here, stacks[0], stacks[0].outputs)
    else:
        yield skip(CONSISTS, "Nobody knows the stack: see above.")
    if with_canary is not None:
        for route in here.config.routes:
            runtime = here.clients.bedrock_runtime(route.region)
            yield canary(runtime, route, seconds=with_canary.seconds)


def _before_a_deploy(here: Deployment, now: Callable[[], datetime]) -> Iterator[Finding]:
    """What makes a deployment fail, or useless, and is known before it is tried."""
    clients, config = here.clients, here.config
    for route in config.routes:
        bedrock = clients.bedrock(route.region)
        model, access, quota = models.checks(route)
        yield from asked(model, models.look_at_model, bedrock, route, today=now().date())
        yield from asked(access, models.look_at_access, bedrock, route)
        if here.local:
            yield skip(quota, "The emulator has no quotas of models.")
        else:
            quotas = clients.service_quotas(route.region)
            yield from asked(quota, models.look_at_quota, quotas, route)
    if here.local:
        yield skip(settings.BOOTSTRAP, "A local run is deployed without the CDK's bootstrap.")
        yield skip(settings.IMAGE_KEYS, "A local run hands out images without CloudFront.")
    else:
        yield from asked(settings.BOOTSTRAP, settings.look_at_bootstrap, clients.ssm, config)
        yield from asked(settings.IMAGE_KEYS, settings.look_at_image_keys, clients.ssm, config)


def _stack(here: Deployment, stacks: list[Stack | None]) -> Iterator[Finding]:
    """The stack, which is put into `stacks`: None when it is not deployed yet."""
    name = here.stack_name
    stack = read_stack(here)
    stacks.append(stack)
    if stack is None:
        gone = f"{name} is not deployed yet: what it consists of cannot be looked at."
        yield skip(settings.STACK, gone)
        return
    told = settings.stack_status(settings.STACK, name, stack.status)
    yield told
    if stack.outputs is not None:
        yield settings.drift(here.config, stack.outputs)
    elif told.verdict is Verdict.OK:
        yield fail(CONSISTS, f"{name} has not all outputs of ours: it is an older one.", DEPLOY)
    else:
        yield skip(CONSISTS, f"{name} was never deployed as a whole.")


def _concurrency(here: Deployment, stack: Stack | None) -> Iterator[Finding]:
    if here.local:
        yield skip(account.CONCURRENCY, "The emulator reserves none when it deploys.")
        return
    functions = stack.of_kind("AWS::Lambda::Function") if stack else ()
    yield from account.look_at_concurrency(
        here.clients.lambda_, config=here.config, functions=functions
    )


def _after_a_deploy(here: Deployment, stack: Stack, outputs: Outputs) -> Iterator[Finding]:
    """What the stack consists of."""
    clients, config, images = here.clients, here.config, outputs.ImagesBucket
    functions: dict[str, Function] = {}
    yield from asked(
        settings.WEB_STACK,
        settings.look_at_web_stack,
        clients.cloudformation,
        config,
        emulated=here.emulated,
    )
    yield from asked(money.MERCHANT, money.look_at_merchant, clients.ssm, config)
    yield from asked(FUNCTIONS, _functions, here, stack, functions)
    for name, function in sorted(functions.items()):
        check = index_check(name)
        yield from asked(check, look_at_indexes, clients.iam, function, stack.tables)
    yield from asked(
        tables.INDEXES_CHECK,
        tables.look_at_tables,
        clients.dynamodb,
        stack.tables,
        config=config,
        emulated=here.emulated,
    )
    yield from asked(bucket.PUBLIC, bucket.look_at_public_access, clients.s3, images)
    yield from asked(bucket.TLS, bucket.look_at_tls, clients.s3, images, emulated=here.emulated)
    yield from asked(bucket.ENCRYPTION, bucket.look_at_encryption, clients.s3, images)
    yield from asked(bucket.OWNERSHIP, bucket.look_at_ownership, clients.s3, images)
    if set(INDEXES) <= set(functions):
        yield from _work(here, stack, outputs, functions)
    else:
        yield skip("worker, push and sweep", "Not all functions are known: see above.")
    yield from asked(
        alarms.ALARMS,
        alarms.look_at_alarms,
        clients.cloudwatch,
        clients.sns,
        stack.of_kind("AWS::CloudWatch::Alarm"),
        config=config,
        local=here.local,
    )


def _functions(here: Deployment, stack: Stack, functions: dict[str, Function]) -> Iterator[Finding]:
    """The functions, which are put into `functions`."""
    physical = stack.of_kind("AWS::Lambda::Function")
    functions.update(read_functions(here.clients.lambda_, physical))
    missing = sorted(set(INDEXES) - set(functions))
    if missing:
        yield fail(FUNCTIONS, f"The stack has no {', '.join(missing)}.", DEPLOY)


def _work(
    here: Deployment, stack: Stack, outputs: Outputs, functions: Mapping[str, Function]
) -> Iterator[Finding]:
    """Models that the worker calls, and what makes it, push and the sweep run."""
    clients, config = here.clients, here.config
    worker, push = functions["worker"], functions["push"]
    schedules = stack.of_kind("AWS::Scheduler::Schedule")
    yield from asked(models_check(worker), look_at_models, clients.iam, worker, here.config.routes)
    yield from asked(
        queues.DEAD_LETTERS,
        queues.look_at_queues,
        clients.sqs,
        queue_url=outputs.JobsQueueUrl,
        dead_letter_queue_url=outputs.DeadLetterQueueUrl,
        config=config,
        worker=worker,
    )
    for function, jobs in ((worker, config), (push, None)):
        check = queues.source_check(function)
        yield from asked(check, queues.look_at_sources, clients.lambda_, function, of_jobs=jobs)
    yield from asked(
        sweep.SWEEP, sweep.look_at_sweep, clients.scheduler, schedules, functions["sweep"]
    )
