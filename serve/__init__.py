"""An exported model as a small web page and a JSON endpoint."""
