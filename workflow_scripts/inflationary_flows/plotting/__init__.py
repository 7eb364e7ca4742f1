"""Figures from tables and arrays; nothing here knows a network, a flow or the workflow."""
