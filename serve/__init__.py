"""A small web page and a JSON endpoint over an exported model, for several people."""

from ..lazy import public

__all__ = ["serve"]
__getattr__ = public(__name__, {"serve": "server"})
