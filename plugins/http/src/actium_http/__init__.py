"""The Actium flavor ``http.request``: sends an HTTP request, and none to where it must not go."""
