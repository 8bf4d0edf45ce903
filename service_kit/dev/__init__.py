"""What is behind `./dev up`: one supervisor process that runs PostgreSQL, the services and their clients.

The processes and their order are data, in `[tool.batonpass.stack]` of pyproject.toml.
"""
