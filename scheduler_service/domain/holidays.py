"""Public holidays. The library is loaded when the first calendar asks for them: that takes 0.3 s."""

from datetime import date
from functools import lru_cache

from scheduler_service.domain.calendar import Holidays


@lru_cache(maxsize=1024)
def holidays_of(which: Holidays, year: int) -> tuple[date, ...]:
    """The holidays of a year, days in lieu included; none where the library knows none."""
    from holidays import country_holidays

    return tuple(sorted(country_holidays(which.country, subdiv=which.subdivision or None, years=year)))


@lru_cache(maxsize=1)
def countries() -> dict[str, list[str]]:
    """Subdivisions by country."""
    from holidays import list_supported_countries

    return list_supported_countries(include_aliases=False)
