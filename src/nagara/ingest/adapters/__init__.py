"""Where ingest touches the world outside: MQTT, log-ins, feeds."""
