"""What Alembic runs: the scripts, over the connection that it is given."""

from alembic import context

from stratvector.services.ledger.adapters.migrating import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    version_table=VERSION_TABLE,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
