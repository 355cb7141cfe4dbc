"""Every dialect the gateway speaks. A new one is a file beside this one and an entry in the tuple."""

from gateway.dialect import Dialect
from gateway.dialects import ihopr

DIALECTS: tuple[Dialect, ...] = (ihopr.DIALECT,)
