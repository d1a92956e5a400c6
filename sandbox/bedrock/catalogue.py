"""What Bedrock says of its models: two operations of its control plane.

    GET /foundation-models/{model_id}              GetFoundationModel
    GET /foundation-model-availability/{model_id}  GetFoundationModelAvailability

Paths and members are those of botocore's service model for bedrock. What the service answers about
a model past its end of life is not documented; here it is not found, as when it is invoked.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.bedrock.errors import BedrockError
from sandbox.bedrock.simulator import Simulator, region_of


class Catalogue:
    """The models of one simulator, as the account has them."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def routes(self) -> list[Route]:
        """Where each thing is asked for."""
        return [
            Route("/foundation-models/{model_id:path}", self._model),
            Route("/foundation-model-availability/{model_id:path}", self._availability),
        ]

    async def _model(self, request: Request) -> Response:
        model_id: str = request.path_params["model_id"]
        try:
            region = region_of(request)
            model = self._simulator.served(model_id, region)
        except BedrockError as error:
            return error.response()
        details = {
            "modelArn": f"arn:aws:bedrock:{region}::foundation-model/{model_id}",
            "modelId": model_id,
            "inputModalities": ["TEXT"],
            "outputModalities": ["IMAGE"],
            "inferenceTypesSupported": ["ON_DEMAND"],
            "modelLifecycle": {"status": "LEGACY" if model.retired else "ACTIVE"},
        }
        return JSONResponse({"modelDetails": details})

    async def _availability(self, request: Request) -> Response:
        model_id: str = request.path_params["model_id"]
        try:
            self._simulator.served(model_id, region_of(request))
        except BedrockError as error:
            return error.response()
        given = model_id not in self._simulator.behaviour.without_access
        return JSONResponse(
            {
                "modelId": model_id,
                "agreementAvailability": {"status": "AVAILABLE" if given else "NOT_AVAILABLE"},
                "authorizationStatus": "AUTHORIZED",
                "entitlementAvailability": "AVAILABLE",
                "regionAvailability": "AVAILABLE",
            }
        )
