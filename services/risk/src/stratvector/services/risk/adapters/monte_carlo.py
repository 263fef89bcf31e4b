"""The value at risk by gRPC from the Monte Carlo service."""

from stratvector.runtime.monte_carlo import monte_carlo_client
from stratvector.services.risk.settings import RiskSettings
from stratvector.services.risk.value_at_risk_desk import AskingSchedule, ValueAtRiskDesk
from stratvector.trading.orders import ValueAtRisk
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.value_at_risk import Question


def desk_of(portfolio: Portfolio, settings: RiskSettings) -> ValueAtRiskDesk:
    """A desk that asks the configured service, or nobody."""
    address = settings.monte_carlo_grpc
    if address is None:
        return ValueAtRiskDesk(portfolio, None)

    async def ask(question: Question) -> ValueAtRisk:
        # Questions are rare: a connection each leaves nothing to close at a drain.
        async with monte_carlo_client(address) as client:
            return await client.value_at_risk(question, settings.value_at_risk_simulations)

    schedule = AskingSchedule(
        settings.value_at_risk_every_hours, settings.value_at_risk_rest_seconds
    )
    return ValueAtRiskDesk(portfolio, ask, schedule)
