"""Other identity servers, configured as their documentation recommends, doing the same work as ours in the same run.

One module a peer; `programs/` holds what runs in their own languages and environments. README.md says what is set how.
"""
