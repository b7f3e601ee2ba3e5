"""Alembic's environment: the same for every service and both databases; `app.migrate` says which."""

from alembic import context

config = context.config

context.configure(
    connection=config.attributes["connection"],
    target_metadata=config.attributes["metadata"],
    render_as_batch=False,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
