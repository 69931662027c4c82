"""The NGSI-LD API of the context (ETSI GS CIM 009 V1.9.1): reading, rendering, routes."""
