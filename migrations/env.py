"""Alembic's environment: the same for every service and both databases; `app.migrate` says which.

Without a connection it prints the statements instead of running them.
"""

from alembic import context

told = context.config.attributes

context.configure(
    connection=told.get("connection"),
    dialect_name="postgresql",
    dialect_opts={"paramstyle": "named"},
    target_metadata=told["metadata"],
    render_item=told.get("render_item"),
    literal_binds=context.is_offline_mode(),
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
