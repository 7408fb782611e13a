"""Which protections a profile of the mock lender has."""

from mock_lender.resilience.profile import protections_of


def protections_in(profile: str) -> tuple[str, ...]:
    """By name, sorted. Raises KeyError for a profile that is none."""
    return protections_of(profile, {})
