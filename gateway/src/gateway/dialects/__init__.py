"""Every dialect the gateway speaks. A new one is a file beside this one and an entry in the tuple."""

from gateway.dialect import Dialect
from gateway.dialects import ihopr, ossn, shoop, sngine, vorgid

DIALECTS: tuple[Dialect, ...] = (sngine.DIALECT, ossn.DIALECT, shoop.DIALECT, ihopr.DIALECT, vorgid.DIALECT)
