"""Certificates that a receiver's is checked with."""

import ssl
from pathlib import Path

from features.errors import ConfigurationError


def make_tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """Check by that file, or by the system's; ConfigurationError where it cannot be read."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as fault:  # those of TLS are among them
        raise ConfigurationError(f"ca_file {ca_file}: {fault.strerror or fault}") from fault
