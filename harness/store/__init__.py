"""Edge: tables to Parquet and back; provenance."""
