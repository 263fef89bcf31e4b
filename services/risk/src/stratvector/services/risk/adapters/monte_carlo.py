"""The value at risk by gRPC from the Monte Carlo service."""

from stratvector.runtime.monte_carlo import monte_carlo_client
from stratvector.services.risk.settings import RiskSettings
from stratvector.services.risk.value_at_risk_queries import AskingSchedule, ValueAtRiskQueries
from stratvector.trading.orders import ValueAtRisk
from stratvector.trading.portfolio import Portfolio
from stratvector.trading.value_at_risk import Question


def queries_of(portfolio: Portfolio, settings: RiskSettings) -> ValueAtRiskQueries:
    """Questions to the configured service; without one, none are asked."""
    address = settings.monte_carlo_grpc
    if address is None:
        return ValueAtRiskQueries(portfolio, None)

    async def ask(question: Question) -> ValueAtRisk:
        # Questions are rare: a connection each leaves nothing to close at a drain.
        async with monte_carlo_client(address) as client:
            return await client.value_at_risk(question, settings.value_at_risk_simulations)

    schedule = AskingSchedule(
        settings.value_at_risk_every_hours, settings.value_at_risk_rest_seconds
    )
    return ValueAtRiskQueries(portfolio, ask, schedule)
