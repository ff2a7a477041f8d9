"""Tables of the console: who may come in, who is in, and who tried too often."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, String, Table, Text

from serving.store.schema import metadata

console_accounts = Table(
    "console_accounts",
    metadata,
    Column("account", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("role", String, nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("made_at_us", BigInteger, nullable=False),
)
"""People by the folded form of their name: `Dana` and `dana` are one."""

console_sessions = Table(
    "console_sessions",
    metadata,
    Column("digest", String, primary_key=True),
    Column("account", ForeignKey("console_accounts.account"), nullable=False),
    Column("began_at_us", BigInteger, nullable=False),
    Column("seen_at_us", BigInteger, nullable=False),
    Index("console_sessions_by_account", "account"),
    Index("console_sessions_by_time", "seen_at_us"),
)
"""Who is in, by the digest of what their cookie holds: whoever reads this table is nobody yet."""

console_counts = Table(
    "console_counts",
    metadata,
    Column("counted", String, primary_key=True),
    Column("n", Integer, nullable=False),
    Column("until_us", BigInteger, nullable=False),
    Index("console_counts_by_time", "until_us"),
)
"""How often something was tried; the count begins anew at its moment."""
