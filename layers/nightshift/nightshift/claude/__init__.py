"""The provider: the client, the names of requests, results as they arrive, and what tokens cost."""
