"""The commands of ``actium``, one module each; each has its `app` and the `PANEL` of help that it stands in."""
